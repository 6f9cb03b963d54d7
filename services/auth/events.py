"""What auth publishes, and the contract's form of a user."""

from datetime import datetime

from ordermesh.auth.v1 import auth_events_pb2, auth_pb2
from services.auth.domain import User
from services.auth.keys import ALGORITHM, SigningKey
from services.common.events import EventRecord
from services.common.protobuf import timestamp_to_proto

AGGREGATE_TYPE = "user"


def user_registered(user: User) -> EventRecord:
    """Return the event of a new user. It names no one: events live long."""
    message = auth_events_pb2.UserRegistered(user_id=user.id, roles=list(user.roles))
    return EventRecord(AGGREGATE_TYPE, user.id, user.version, message)


def signing_key_created(key_id: str, sign_time: datetime) -> EventRecord:
    """Return the event of a key that will sign."""
    message = auth_events_pb2.SigningKeyCreated(key_id=key_id, sign_time=timestamp_to_proto(sign_time))
    return EventRecord("signing_key", key_id, 1, message)


def signing_key_deleted(key_id: str) -> EventRecord:
    """Return the event of a key that nobody needs any more."""
    return EventRecord("signing_key", key_id, 2, auth_events_pb2.SigningKeyDeleted(key_id=key_id))


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
