"""Personal data in the database: sealed by keys from the environment, and found again by a keyed digest.

A key is named beside what it sealed, so keys can follow one another: the first in the setting seals, all of them open,
and upkeep brings old rows to the first. The digest's key is another one, and stays: it opens nothing.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SECRET_BYTES = 32
NONCE_BYTES = 12


class UnknownKeyError(Exception):
    """Something was sealed with a key that the environment does not have, or has been tampered with."""

    def __init__(self, key_id: str, row: str) -> None:
        super().__init__(
            f"personal data of {row} can't be opened with the key {key_id!r}; put it back into "
            "ORDERMESH_PERSONAL_DATA_KEYS, behind the present one"
        )


@dataclass(frozen=True, slots=True)
class Sealed:
    """What the database keeps: nonce and ciphertext, and the name of the key."""

    content: bytes = field(repr=False)
    key_id: str


class DataKeys:
    """Seals texts (AES-256-GCM), each bound to the row it belongs to."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """`keys` by name, each of 256 bits; the first seals."""
        self._ciphers = {name: AESGCM(key) for name, key in keys.items()}
        self.current = next(iter(self._ciphers))

    @classmethod
    def read(cls, setting: str) -> "DataKeys":
        """Read `name:base64,name:base64`, the present key first. Raises ValueError for anything else."""
        keys = {}
        for part in setting.split(","):
            name, _, secret = part.strip().partition(":")
            if not name or name in keys:
                raise ValueError("ORDERMESH_PERSONAL_DATA_KEYS must be name:key,… with a name of its own for each key")
            keys[name] = secret_of(secret, "a key of ORDERMESH_PERSONAL_DATA_KEYS")
        return cls(keys)

    def seal(self, text: str, row: str) -> Sealed:
        """Seal a text for a row."""
        nonce = os.urandom(NONCE_BYTES)
        return Sealed(nonce + self._ciphers[self.current].encrypt(nonce, text.encode(), row.encode()), self.current)

    def open(self, sealed: Sealed, row: str) -> str:
        """Read what was sealed for this row. Raises UnknownKeyError."""
        cipher = self._ciphers.get(sealed.key_id)
        nonce, ciphertext = sealed.content[:NONCE_BYTES], sealed.content[NONCE_BYTES:]
        try:
            if cipher is not None:
                return cipher.decrypt(nonce, ciphertext, row.encode()).decode()
        except InvalidTag:
            pass
        raise UnknownKeyError(sealed.key_id, row)


class Digests:
    """Keyed digests (HMAC-SHA-256): equal for equal texts, and telling nothing to who has only the database."""

    def __init__(self, key: bytes) -> None:
        """`key`: 256 bits."""
        self._key = key

    @classmethod
    def read(cls, setting: str) -> "Digests":
        """Read the key in base64. Raises ValueError."""
        return cls(secret_of(setting, "ORDERMESH_DIGEST_KEY"))

    def of(self, purpose: str, *parts: str) -> bytes:
        """Digest parts for one purpose; digests of different purposes have nothing in common."""
        text = "".join(f"{len(part)}:{part}" for part in (purpose, *parts))
        return hmac.digest(self._key, text.encode(), "sha256")


def hash_of(secret: bytes) -> bytes:
    """Return what is kept of a secret of 256 random bits: nobody can guess it, so a plain digest is enough."""
    return hashlib.sha256(secret).digest()


def secret_of(text: str, what: str) -> bytes:
    """Read 256 bits in base64; `what` they are, for the complaint. Raises ValueError."""
    wanted = f'{what} must be 256 bits in base64, such as of "openssl rand -base64 32"'
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError(wanted) from None
    if len(key) != SECRET_BYTES:
        raise ValueError(wanted)
    return key
