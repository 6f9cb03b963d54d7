"""Comparing a password with what PostgreSQL keeps of it, so that an unchanged one is not set again.

PostgreSQL stores `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>` (RFC 5803, all in base64).
"""

import base64
import hashlib
import hmac


def matches(verifier: str | None, password: str) -> bool:
    """Tell whether `verifier`, a value of pg_authid.rolpassword, was made from `password`."""
    if verifier is None or not verifier.startswith("SCRAM-SHA-256$"):
        return False
    _, iterations_and_salt, keys = verifier.split("$")
    iterations, salt = iterations_and_salt.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = base64.b64decode(keys.split(":")[0])
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), stored_key)
