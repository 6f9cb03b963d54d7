"""Access tokens: short-lived JWTs (RFC 7519, profile of RFC 9068) that say who, in which roles, and allowed what."""

import uuid
from datetime import datetime, timedelta

from joserfc import jwt

from services.auth.domain import User, permissions_of
from services.auth.keys import ALGORITHM, SigningKey


class TokenIssuer:
    """Signs tokens for one issuer and audience."""

    def __init__(self, issuer: str, audience: str, lifetime: timedelta) -> None:
        """`lifetime`: how long a token holds; it can't be taken back before."""
        self._issuer = issuer
        self._audience = audience
        self.lifetime = lifetime

    def issue(self, user: User, key: SigningKey, now: datetime, session_id: str = "") -> str:
        """Return the compact form of a new token. It carries no personal data, and no session unless it is of one."""
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": user.id,
            "iat": int(now.timestamp()),
            "exp": int((now + self.lifetime).timestamp()),
            "jti": str(uuid.uuid4()),
            "roles": sorted(user.roles),
            "permissions": sorted(permissions_of(user.roles)),
        }
        if session_id:
            claims["sid"] = session_id
        return jwt.encode({"alg": ALGORITHM, "kid": key.id, "typ": "at+jwt"}, claims, key.key, algorithms=[ALGORITHM])
