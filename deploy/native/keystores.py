"""Certificates in the forms that Java reads: one PEM file with the key, and PKCS #12.

The name of a PKCS #12 file tells its content, because that differs each time it is made: so nothing is started anew for
one that says the same.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12

from deploy.native.certificates import Pair
from deploy.native.rendering import keep
from deploy.native.secrets import replace_private

ALIAS = b"ordermesh"


def pem(pair: Pair, path: Path) -> Path:
    """Put a key and its certificate into one file."""
    keep(path, pair.key.read_text(encoding="utf-8") + pair.certificate.read_text(encoding="utf-8"))
    return path


def keystore(pair: Pair, folder: Path, password: str) -> Path:
    """Keep a key and its certificate in a PKCS #12 file of the folder."""
    content = pair.key.read_bytes() + pair.certificate.read_bytes()

    def serialize() -> bytes:
        key = load_pem_private_key(pair.key.read_bytes(), password=None)
        certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        encryption = BestAvailableEncryption(password.encode())
        return pkcs12.serialize_key_and_certificates(ALIAS, key, certificate, None, encryption)  # type: ignore[arg-type]  # any key will do

    return _kept(folder, "keystore", content + password.encode(), serialize)


def truststore(certificate: Path, folder: Path, password: str) -> Path:
    """Keep whom to trust in a PKCS #12 file of the folder."""

    def serialize() -> bytes:
        trusted = pkcs12.PKCS12Certificate(x509.load_pem_x509_certificate(certificate.read_bytes()), ALIAS)
        return pkcs12.serialize_java_truststore([trusted], BestAvailableEncryption(password.encode()))

    return _kept(folder, "truststore", certificate.read_bytes() + password.encode(), serialize)


def _kept(folder: Path, name: str, content: bytes, serialize: Callable[[], bytes]) -> Path:
    path = folder / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}.p12"
    if not path.exists():
        for older in folder.glob(f"{name}-*.p12"):
            older.unlink()
        replace_private(path, serialize())
    return path
