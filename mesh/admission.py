"""What a caller may do: by the contract, by being a service, and by the claims of the end user it calls for.

The edge verifies tokens. Claims come here only from those that an intention lets act for users (mesh/peers.py).
"""

import base64
import binascii
import functools
import json
import time
from dataclasses import replace

from mesh import errors, headers
from mesh.context import Caller
from mesh.contract import AccessKind, MethodPolicy

GRACE_SECONDS = 60
"""For how long claims are believed that expired since the edge saw them: its clock may differ, and calls last."""


def end_user(claims: str, peer: str) -> Caller:
    """Read the claims of a verified token: base64url of its JSON payload. Raises Unauthenticated."""
    caller, expiry = _read(claims, peer)
    if expiry + GRACE_SECONDS < time.time():
        raise errors.Unauthenticated("the token has expired; refresh it, or log in again", reason="TOKEN_EXPIRED")
    return caller


@functools.lru_cache(maxsize=4096)
def _read(claims: str, peer: str) -> tuple[Caller, float]:
    try:
        payload = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        caller = Caller(
            user_id=_subject(payload["sub"]),
            email=str(payload.get("email", "")),
            roles=_names(payload.get("roles", [])),
            permissions=_names(payload.get("permissions", [])),
            peer=peer,
            session_id=str(payload.get("sid", "")),
        )
        return caller, float(payload["exp"])
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError) as unreadable:
        raise errors.Unauthenticated("the claims can't be read", reason="CLAIMS_MALFORMED") from unreadable


def admit(policy: MethodPolicy, peer: str, claims: str) -> Caller:
    """Decide whether the caller may call the method, and how far they may see. Raises an Error if not.

    Without claims a service acts for itself, and may do whatever the contract has for services or for users. The edge
    acts for itself only where the contract names it, so that a route without a token reaches public methods alone.
    """
    service = peer != headers.EDGE
    caller = end_user(claims, peer) if claims else Caller(peer=peer, unrestricted=service)
    match policy.access.kind:
        case AccessKind.INTERNAL:
            _require(service, "only services may call this", "INTERNAL_METHOD")
        case AccessKind.EDGE:
            _require(not (service or claims), "only the edge may call this, for itself", "INTERNAL_METHOD")
        case AccessKind.PERMISSION:
            _authorize(policy.access.permission, caller, as_service=service and not claims)
        case AccessKind.PUBLIC:
            pass
    if policy.unrestricted_permission and policy.unrestricted_permission in caller.permissions:
        return _unrestricted(caller)
    return caller


def _subject(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("sub is not a text")
    return value


def _names(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError("not a list of texts")
    return frozenset(value)


def _authorize(permission: str, caller: Caller, *, as_service: bool) -> None:
    if as_service:
        return
    if not caller.user_id:
        raise errors.Unauthenticated("log in, and send the access token", reason="TOKEN_MISSING")
    if permission not in caller.permissions:
        raise errors.PermissionDenied(
            f"this needs the permission {permission}",
            reason="PERMISSION_MISSING",
            metadata={"permission": permission},
        )


def _require(holds: bool, message: str, reason: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise errors.PermissionDenied(message, reason=reason)


@functools.lru_cache(maxsize=4096)
def _unrestricted(caller: Caller) -> Caller:
    return replace(caller, unrestricted=True)
