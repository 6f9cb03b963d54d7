"""What auth publishes, and the contract's form of what it knows. Events name no one: they live long."""

from collections.abc import Sequence
from datetime import datetime

from google.protobuf.message import Message

from ordermesh.auth.v1 import auth_events_pb2 as pb
from ordermesh.auth.v1 import auth_pb2
from services.auth.domain import RoleDefinition, User
from services.auth.domain.proofs import Purpose
from services.auth.domain.service_accounts import ServiceAccount
from services.auth.domain.sessions import EndReason, Session
from services.auth.keys import ALGORITHM, SigningKey
from services.common.events import EventRecord
from services.common.protobuf import timestamp_to_proto

AGGREGATE_TYPE = "user"


def user_registered(user: User) -> pb.UserRegistered:
    """Tell of a new user."""
    return pb.UserRegistered(user_id=user.id, roles=list(user.roles))


def registration_repeated(user_id: str) -> pb.RegistrationRepeated:
    """Tell that somebody wanted to register with a user's email."""
    return pb.RegistrationRepeated(user_id=user_id)


def email_verified(user_id: str) -> pb.EmailVerified:
    """Tell that mail reaches a user."""
    return pb.EmailVerified(user_id=user_id)


def password_changed(user_id: str, *, by_reset: bool) -> pb.PasswordChanged:
    """Tell of a new password."""
    return pb.PasswordChanged(user_id=user_id, by_reset=by_reset)


def login_blocked(user_id: str) -> pb.LoginBlocked:
    """Tell that somebody guesses a user's password."""
    return pb.LoginBlocked(user_id=user_id)


def session_started(user_id: str, session_id: str, *, second_factor: bool) -> pb.SessionStarted:
    """Tell of a login."""
    return pb.SessionStarted(user_id=user_id, session_id=session_id, second_factor=second_factor)


def second_factor_enabled(user_id: str) -> pb.SecondFactorEnabled:
    """Tell that login asks for more from now on."""
    return pb.SecondFactorEnabled(user_id=user_id)


def second_factor_disabled(user_id: str) -> pb.SecondFactorDisabled:
    """Tell that login asks for less from now on."""
    return pb.SecondFactorDisabled(user_id=user_id)


def recovery_code_used(user_id: str, remaining: int) -> pb.RecoveryCodeUsed:
    """Tell that a recovery code stood in for the authenticator."""
    return pb.RecoveryCodeUsed(user_id=user_id, remaining=remaining)


def recovery_codes_replaced(user_id: str) -> pb.RecoveryCodesReplaced:
    """Tell that the recovery codes are others."""
    return pb.RecoveryCodesReplaced(user_id=user_id)


def user_erased(user_id: str) -> pb.UserErased:
    """Tell that all that is personal of a user is to go."""
    return pb.UserErased(user_id=user_id)


def code_requested(
    purpose: Purpose, user_id: str, code_id: str
) -> pb.EmailVerificationRequested | pb.PasswordResetRequested:
    """Tell that a mail with a code is to be sent; the code is made when the mail is."""
    if purpose is Purpose.EMAIL_VERIFICATION:
        return pb.EmailVerificationRequested(user_id=user_id, one_time_code_id=code_id)
    return pb.PasswordResetRequested(user_id=user_id, one_time_code_id=code_id)


def sessions_ended(user_id: str, session_ids: Sequence[str], reason: EndReason) -> pb.SessionsEnded:
    """Tell which sessions ended, and why."""
    return pb.SessionsEnded(
        user_id=user_id, session_ids=session_ids, reason=pb.SessionsEnded.Reason.Value(reason.value)
    )


def user_roles_changed(user_id: str, roles: Sequence[str]) -> pb.UserRolesChanged:
    """Tell that a user has other roles."""
    return pb.UserRolesChanged(user_id=user_id, roles=sorted(roles))


def user_locked(user_id: str, *, out: bool) -> pb.UserDisabled | pb.UserEnabled:
    """Tell that a user was locked out, or let in again."""
    return pb.UserDisabled(user_id=user_id) if out else pb.UserEnabled(user_id=user_id)


def signing_key_created(key_id: str, sign_time: datetime) -> EventRecord:
    """Return the event of a key that will sign."""
    message = pb.SigningKeyCreated(key_id=key_id, sign_time=timestamp_to_proto(sign_time))
    return EventRecord("signing_key", key_id, 1, message)


def signing_key_deleted(key_id: str) -> EventRecord:
    """Return the event of a key that nobody needs any more."""
    return EventRecord("signing_key", key_id, 2, pb.SigningKeyDeleted(key_id=key_id))


def role_created(role: RoleDefinition) -> EventRecord:
    """Return the event of a new role."""
    message = pb.RoleCreated(name=role.name, permissions=sorted(role.permissions))
    return EventRecord("role", role.id, role.version, message)


def role_updated(role: RoleDefinition) -> EventRecord:
    """Return the event of a role that was changed."""
    message = pb.RoleUpdated(name=role.name, permissions=sorted(role.permissions))
    return EventRecord("role", role.id, role.version, message)


def role_deleted(role: RoleDefinition) -> EventRecord:
    """Return the event of a role that is gone; `role` is how it was."""
    return EventRecord("role", role.id, role.version + 1, pb.RoleDeleted(name=role.name))


def access_token_revoked(token_id: str, subject: str) -> EventRecord:
    """Return the event of a token that was revoked."""
    message = pb.AccessTokenRevoked(token_id=token_id, subject=subject)
    return EventRecord("access_token", token_id, 1, message)


def service_account_created(account: ServiceAccount) -> EventRecord:
    """Return the event of a new account."""
    message = pb.ServiceAccountCreated(
        service_account_id=account.id, roles=account.roles, permissions=account.permissions
    )
    return _of_account(account.id, account.version, message)


def service_account_updated(account: ServiceAccount) -> EventRecord:
    """Return the event of an account that was changed."""
    message = pb.ServiceAccountUpdated(
        service_account_id=account.id, roles=account.roles, permissions=account.permissions
    )
    return _of_account(account.id, account.version, message)


def service_account_secret_rotated(account: ServiceAccount, secret_id: str, expire_time: datetime) -> EventRecord:
    """Return the event of a new secret; the one before expires."""
    message = pb.ServiceAccountSecretRotated(
        service_account_id=account.id, secret_id=secret_id, previous_expire_time=timestamp_to_proto(expire_time)
    )
    return _of_account(account.id, account.version, message)


def service_account_locked(account: ServiceAccount) -> EventRecord:
    """Return the event of an account that was locked out, or let in again."""
    if account.disable_time is None:
        message: Message = pb.ServiceAccountEnabled(service_account_id=account.id)
    else:
        message = pb.ServiceAccountDisabled(service_account_id=account.id)
    return _of_account(account.id, account.version, message)


def service_account_deleted(account: ServiceAccount) -> EventRecord:
    """Return the event of an account that is gone; `account` is how it was."""
    message = pb.ServiceAccountDeleted(service_account_id=account.id)
    return _of_account(account.id, account.version + 1, message)


def service_account_token_issued(account_id: str, version: int, token_id: str, secret_id: str) -> EventRecord:
    """Return the event of a token; it is not in it."""
    message = pb.ServiceAccountTokenIssued(service_account_id=account_id, token_id=token_id, secret_id=secret_id)
    return _of_account(account_id, version, message)


def service_account_authentication_failed(account_id: str, version: int, reason: str) -> EventRecord:
    """Return the event of somebody who could not prove to be the account."""
    message = pb.ServiceAccountAuthenticationFailed(service_account_id=account_id, reason=reason)
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
        email_verified=user.email_verified,
        second_factor=user.second_factor,
    )


def session_to_proto(session: Session, current_id: str) -> auth_pb2.Session:
    """Return the contract's form of a session; `current_id` is the one that asks."""
    return auth_pb2.Session(
        id=session.id,
        user_agent=session.client.user_agent,
        address=session.client.address,
        create_time=timestamp_to_proto(session.create_time),
        last_used_time=timestamp_to_proto(session.last_used_time),
        expire_time=timestamp_to_proto(session.expire_time),
        current=session.id == current_id,
    )


def key_to_proto(key: SigningKey) -> auth_pb2.JsonWebKey:
    """Return the public half of a key as RFC 8037 writes it."""
    return auth_pb2.JsonWebKey(kty="OKP", crv="Ed25519", kid=key.id, x=key.public, alg=ALGORITHM, use="sig")
