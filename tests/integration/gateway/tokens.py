"""Access tokens as auth issues them, and such as nobody should accept."""

import base64
import json
import time
import uuid
from typing import Any

from joserfc import jwt
from joserfc.jwk import OKPKey

ISSUER = "https://auth.test"
AUDIENCE = "ordermesh-test"
KEY = OKPKey.generate_key("Ed25519", {"kid": "key-1", "alg": "EdDSA", "use": "sig"})
PUBLIC_KEY = {name: str(KEY.as_dict(private=False)[name]) for name in ("kty", "crv", "kid", "x", "alg", "use")}


def token(*permissions: str, key: OKPKey = KEY, **changes: Any) -> str:  # noqa: ANN401 - claims are any JSON
    """Sign a token for a user of its own, with some claims changed."""
    now = int(time.time())  # Of when tests are collected, which is long before some of them run.
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(uuid.uuid4()),
        "iat": now,
        "exp": now + 3600,
        "permissions": list(permissions),
    }
    return jwt.encode({"alg": "EdDSA", "kid": "key-1"}, claims | changes, key, algorithms=["EdDSA"])


def bearer(value: str) -> dict[str, str]:
    """Send a token."""
    return {"authorization": f"Bearer {value}"}


def unsigned(*permissions: str) -> str:
    """Claim everything and sign nothing (RFC 7519, section 6)."""
    claims = token(*permissions).split(".")[1]
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).rstrip(b"=").decode()
    return f"{header}.{claims}."
