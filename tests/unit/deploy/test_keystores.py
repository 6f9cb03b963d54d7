"""The keys that Java reads."""

import stat
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from deploy.native import certificates, keystores

PASSWORD = "correct horse battery"


def test_a_keystore_has_the_key_and_its_certificate(tmp_path: Path) -> None:
    """For its owner only."""
    made = certificates.ensure(tmp_path / "tls", "dc1").connect
    path = keystores.keystore(made, tmp_path, PASSWORD)
    key, certificate, _ = pkcs12.load_key_and_certificates(path.read_bytes(), PASSWORD.encode())
    assert key is not None
    assert certificate == x509.load_pem_x509_certificate(made.certificate.read_bytes())
    assert key.public_key() == certificate.public_key()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_store_is_made_once_for_each_content(tmp_path: Path) -> None:
    """Made again it would differ, and Connect be started anew for nothing; what it replaces is removed."""
    first = certificates.ensure(tmp_path / "first", "dc1").data_authority.certificate
    path = keystores.truststore(first, tmp_path, PASSWORD)
    written = path.stat().st_mtime_ns
    assert keystores.truststore(first, tmp_path, PASSWORD) == path
    assert path.stat().st_mtime_ns == written
    second = certificates.ensure(tmp_path / "second", "dc1").data_authority.certificate
    assert [keystores.truststore(second, tmp_path, PASSWORD)] == list(tmp_path.glob("*.p12"))
