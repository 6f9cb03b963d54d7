"""Access tokens: short-lived JWTs (RFC 7519, profile of RFC 9068) that say who, in which roles, and allowed what."""

import uuid
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.auth.keys import ALGORITHM, SigningKey

TYPE = "at+jwt"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is to say: whose it is, what it lets them do, and further claims such as `client_id`."""

    subject: str
    roles: Sequence[str]
    permissions: AbstractSet[str]
    claims: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token that was issued. `id` is its `jti`; what lets somebody in is `value`."""

    id: str
    value: str = field(repr=False)


class TokenIssuer:
    """Signs tokens for one issuer and audience, and judges them."""

    def __init__(self, issuer: str, audience: str, lifetime: timedelta) -> None:
        """`lifetime`: how long a token holds."""
        self._issuer = issuer
        self._audience = audience
        self.lifetime = lifetime

    def issue(self, grant: Grant, key: SigningKey, now: datetime) -> AccessToken:
        """Sign a new token. It carries no personal data."""
        id_ = str(uuid.uuid4())
        claims = {
            **grant.claims,
            "iss": self._issuer,
            "aud": self._audience,
            "sub": grant.subject,
            "iat": int(now.timestamp()),
            "exp": int((now + self.lifetime).timestamp()),
            "jti": id_,
            "roles": sorted(grant.roles),
            "permissions": sorted(grant.permissions),
        }
        header = {"alg": ALGORITHM, "kid": key.id, "typ": TYPE}
        return AccessToken(id_, jwt.encode(header, claims, key.key, algorithms=[ALGORITHM]))

    def claims(self, token: str, keys: Sequence[SigningKey], now: datetime) -> Mapping[str, object] | None:
        """Read a token of ours that one of the keys signed and that has not ended; None for any other."""
        known = KeySet([key.key for key in keys])
        try:
            decoded = jwt.decode(token, known, algorithms=[ALGORITHM])
            jwt.JWTClaimsRegistry(
                now=lambda: int(now.timestamp()),
                leeway=0,
                iss={"essential": True, "value": self._issuer},
                aud={"essential": True, "value": self._audience},
                exp={"essential": True},
            ).validate(decoded.claims)
        except (JoseError, ValueError):
            return None
        return decoded.claims if decoded.header.get("typ") == TYPE else None
