"""The install's certificate authority and the edge's certificate."""

import datetime as dt
import ipaddress
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from deploy.native import certificates
from deploy.native.certificates import Certificates, Pair


def _load(pair: Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes())


def _verify(made: Certificates, subject: x509.GeneralName) -> None:
    store = Store([_load(made.authority)])
    PolicyBuilder().store(store).build_server_verifier(subject).verify(_load(made.edge), [])  # type: ignore[arg-type]


@pytest.mark.parametrize("subject", [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
def test_the_edge_is_trusted_under_both_of_its_names(tmp_path: Path, subject: x509.GeneralName) -> None:
    """A client that has the install's authority accepts the edge by name and by address."""
    _verify(certificates.ensure(tmp_path), subject)


def test_the_edge_is_not_trusted_under_a_foreign_name(tmp_path: Path) -> None:
    """The certificate says nothing about other hosts."""
    with pytest.raises(VerificationError):
        _verify(certificates.ensure(tmp_path), x509.DNSName("example.com"))


def test_a_second_run_keeps_both_certificates(tmp_path: Path) -> None:
    """Nothing is renewed while it is fresh."""
    first = certificates.ensure(tmp_path)
    before = (_load(first.authority).serial_number, _load(first.edge).serial_number)
    second = certificates.ensure(tmp_path)
    assert (_load(second.authority).serial_number, _load(second.edge).serial_number) == before


def test_a_certificate_near_its_end_is_renewed_under_the_same_authority(tmp_path: Path) -> None:
    """Two thirds through its life the edge gets a new certificate; clients keep trusting the old authority."""
    first = certificates.ensure(tmp_path)
    authority, edge = _load(first.authority).serial_number, _load(first.edge).serial_number
    later = dt.datetime.now(dt.UTC) + certificates.SERVER_LIFE * 0.9
    second = certificates.ensure(tmp_path, now=later)
    assert _load(second.edge).serial_number != edge
    assert _load(second.authority).serial_number == authority


def test_a_certificate_of_another_authority_is_replaced(tmp_path: Path) -> None:
    """An edge certificate left over from an older install is not served."""
    made = certificates.ensure(tmp_path)
    made.authority.certificate.unlink()
    _verify(certificates.ensure(tmp_path), x509.DNSName("localhost"))


def test_private_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    """Both keys are 0600 and match their certificates."""
    made = certificates.ensure(tmp_path)
    for pair in (made.authority, made.edge):
        assert stat.S_IMODE(pair.key.stat().st_mode) == 0o600
        key = load_pem_private_key(pair.key.read_bytes(), password=None)
        assert key.public_key() == _load(pair).public_key()
