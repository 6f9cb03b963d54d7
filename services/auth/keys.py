"""Signing keys: Ed25519, named by the thumbprint of RFC 7638, kept encrypted by a key that isn't in the database."""

import contextlib
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc.jwk import OKPKey

from services.auth.sealing import secret_of

NONCE_BYTES = 12
ALGORITHM = "EdDSA"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair. `key` is private; what goes out is `public`. It signs from `sign_time` until the next one does."""

    id: str
    key: OKPKey = field(repr=False)
    create_time: datetime
    sign_time: datetime

    @property
    def public(self) -> str:
        """The public key: `x` of RFC 8037, base64url."""
        return str(self.key.as_dict(private=False)["x"])


def generate(now: datetime) -> SigningKey:
    """Make a key that signs at once, unless it is told to wait."""
    key = OKPKey.generate_key("Ed25519", private=True)
    return SigningKey(key.thumbprint(), key, now, now)


class WrongSecretError(Exception):
    """A signing key in the database was sealed by another secret, or has been tampered with."""

    def __init__(self, id_: str) -> None:
        super().__init__(
            f"signing key {id_} can't be opened with ORDERMESH_KEY_ENCRYPTION_KEY; put the one it was sealed with into "
            "ORDERMESH_PREVIOUS_KEY_ENCRYPTION_KEYS, or delete the key from signing_keys, which ends every token it "
            "signed"
        )


class KeyVault:
    """Seals private keys for the database (AES-256-GCM, bound to the key's id) and opens them again.

    Secrets are told apart by a name that is kept beside what they sealed, so that one can take another's place.
    """

    def __init__(self, secret: str, previous: Sequence[str] = ()) -> None:
        """`secret` seals; it and the `previous` ones open. 256 bits in base64 each. Raises ValueError otherwise."""
        secrets = [secret_of(each, "ORDERMESH_KEY_ENCRYPTION_KEY") for each in (secret, *previous)]
        self._ciphers = {_name(each): AESGCM(each) for each in secrets}
        self.name = next(iter(self._ciphers))

    def seal(self, signing_key: SigningKey) -> bytes:
        """Return nonce and ciphertext of the private key."""
        nonce = os.urandom(NONCE_BYTES)
        private = str(signing_key.key.as_dict(private=True)["d"])
        return nonce + self._ciphers[self.name].encrypt(nonce, private.encode(), signing_key.id.encode())

    def open(self, id_: str, public: str, sealed: bytes, times: tuple[datetime, datetime], by: str) -> SigningKey:
        """Read a key that was sealed by the secret of that name, if it has one. Raises WrongSecretError.

        `times` are when it was made and when it signs.
        """
        for name, cipher in self._ciphers.items():
            if by in {"", name}:
                with contextlib.suppress(InvalidTag):
                    private = cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], id_.encode()).decode()
                    key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": public, "d": private})
                    return SigningKey(id_, key, *times)
        raise WrongSecretError(id_)


def _name(secret: bytes) -> str:
    """Name a secret without telling anything of it."""
    return hashlib.sha256(b"ordermesh key encryption key" + secret).hexdigest()[:16]
