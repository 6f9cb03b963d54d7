"""What auth publishes, and the contract's form of a user."""

from collections.abc import Sequence
from datetime import datetime

from google.protobuf.message import Message

from ordermesh.auth.v1 import auth_events_pb2, auth_pb2
from services.auth.domain import RoleDefinition, User
from services.auth.domain.service_accounts import ServiceAccount
from services.auth.keys import ALGORITHM, SigningKey
from services.common.events import EventRecord
from services.common.protobuf import timestamp_to_proto

AGGREGATE_TYPE = "user"


def user_registered(user: User) -> EventRecord:
    """Return the event of a new user. It names no one: events live long."""
    message = auth_events_pb2.UserRegistered(user_id=user.id, roles=list(user.roles))
    return EventRecord(AGGREGATE_TYPE, user.id, user.version, message)


def user_roles_changed(user_id: str, version: int, roles: Sequence[str]) -> EventRecord:
    """Return the event of a user who has other roles."""
    message = auth_events_pb2.UserRolesChanged(user_id=user_id, roles=sorted(roles))
    return EventRecord(AGGREGATE_TYPE, user_id, version, message)


def user_locked(user_id: str, version: int, *, out: bool) -> EventRecord:
    """Return the event of a user who was locked out, or let in again."""
    kind = auth_events_pb2.UserDisabled if out else auth_events_pb2.UserEnabled
    return EventRecord(AGGREGATE_TYPE, user_id, version, kind(user_id=user_id))


def signing_key_created(key_id: str, sign_time: datetime) -> EventRecord:
    """Return the event of a key that will sign."""
    message = auth_events_pb2.SigningKeyCreated(key_id=key_id, sign_time=timestamp_to_proto(sign_time))
    return EventRecord("signing_key", key_id, 1, message)


def signing_key_deleted(key_id: str) -> EventRecord:
    """Return the event of a key that nobody needs any more."""
    return EventRecord("signing_key", key_id, 2, auth_events_pb2.SigningKeyDeleted(key_id=key_id))


def role_created(role: RoleDefinition) -> EventRecord:
    """Return the event of a new role."""
    message = auth_events_pb2.RoleCreated(name=role.name, permissions=sorted(role.permissions))
    return EventRecord("role", role.id, role.version, message)


def role_updated(role: RoleDefinition) -> EventRecord:
    """Return the event of a role that was changed."""
    message = auth_events_pb2.RoleUpdated(name=role.name, permissions=sorted(role.permissions))
    return EventRecord("role", role.id, role.version, message)


def role_deleted(role: RoleDefinition) -> EventRecord:
    """Return the event of a role that is gone; `role` is how it was."""
    return EventRecord("role", role.id, role.version + 1, auth_events_pb2.RoleDeleted(name=role.name))


def access_token_revoked(token_id: str, subject: str) -> EventRecord:
    """Return the event of a token that was revoked."""
    message = auth_events_pb2.AccessTokenRevoked(token_id=token_id, subject=subject)
    return EventRecord("access_token", token_id, 1, message)


def service_account_created(account: ServiceAccount) -> EventRecord:
    """Return the event of a new account."""
    message = auth_events_pb2.ServiceAccountCreated(
        service_account_id=account.id, roles=account.roles, permissions=account.permissions
    )
    return _of_account(account.id, account.version, message)


def service_account_updated(account: ServiceAccount) -> EventRecord:
    """Return the event of an account that was changed."""
    message = auth_events_pb2.ServiceAccountUpdated(
        service_account_id=account.id, roles=account.roles, permissions=account.permissions
    )
    return _of_account(account.id, account.version, message)


def service_account_secret_rotated(account: ServiceAccount, secret_id: str, expire_time: datetime) -> EventRecord:
    """Return the event of a new secret; the one before expires."""
    message = auth_events_pb2.ServiceAccountSecretRotated(
        service_account_id=account.id, secret_id=secret_id, previous_expire_time=timestamp_to_proto(expire_time)
    )
    return _of_account(account.id, account.version, message)


def service_account_locked(account: ServiceAccount) -> EventRecord:
    """Return the event of an account that was locked out, or let in again."""
    if account.disable_time is None:
        message: Message = auth_events_pb2.ServiceAccountEnabled(service_account_id=account.id)
    else:
        message = auth_events_pb2.ServiceAccountDisabled(service_account_id=account.id)
    return _of_account(account.id, account.version, message)


def service_account_deleted(account: ServiceAccount) -> EventRecord:
    """Return the event of an account that is gone; `account` is how it was."""
    message = auth_events_pb2.ServiceAccountDeleted(service_account_id=account.id)
    return _of_account(account.id, account.version + 1, message)


def service_account_token_issued(account_id: str, version: int, token_id: str, secret_id: str) -> EventRecord:
    """Return the event of a token; it is not in it."""
    message = auth_events_pb2.ServiceAccountTokenIssued(
        service_account_id=account_id, token_id=token_id, secret_id=secret_id
    )
    return _of_account(account_id, version, message)


def service_account_authentication_failed(account_id: str, version: int, reason: str) -> EventRecord:
    """Return the event of somebody who could not prove to be the account."""
    message = auth_events_pb2.ServiceAccountAuthenticationFailed(service_account_id=account_id, reason=reason)
    return _of_account(account_id, version, message)


def _of_account(account_id: str, version: int, message: Message) -> EventRecord:
    return EventRecord("service_account", account_id, version, message)


def user_to_proto(user: User) -> auth_pb2.User:
    """Return the contract's form of a user."""
    return auth_pb2.User(
        id=user.id,
        email=user.email,
        display_name=user.display_name,
        roles=list(user.roles),
        create_time=timestamp_to_proto(user.create_time),
        disable_time=timestamp_to_proto(user.disable_time) if user.disable_time else None,
    )


def key_to_proto(key: SigningKey) -> auth_pb2.JsonWebKey:
    """Return the public half of a key as RFC 8037 writes it."""
    return auth_pb2.JsonWebKey(kty="OKP", crv="Ed25519", kid=key.id, x=key.public, alg=ALGORITHM, use="sig")
