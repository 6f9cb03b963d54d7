"""The install's certificate authorities, and what the edge and Consul's agent have from them."""

import datetime as dt
import ipaddress
import stat
from dataclasses import fields
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from deploy.native import certificates
from deploy.native.certificates import Certificates, Pair

DATACENTER = "dc7"
LOOPBACK = (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))


def _load(pair: Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes())


def _all(made: Certificates) -> tuple[Pair, ...]:
    return tuple(getattr(made, field.name) for field in fields(Certificates))


def _verify(made: Certificates, subject: x509.GeneralName) -> None:
    _verify_pair(made.edge, made.authority, subject)


def _verify_pair(pair: Pair, authority: Pair, subject: x509.GeneralName) -> None:
    store = Store([_load(authority)])
    PolicyBuilder().store(store).build_server_verifier(subject).verify(_load(pair), [])  # type: ignore[arg-type]


@pytest.mark.parametrize("subject", LOOPBACK)
def test_the_edge_is_trusted_under_both_of_its_names(tmp_path: Path, subject: x509.GeneralName) -> None:
    """A client that has the install's authority accepts the edge by name and by address."""
    _verify(certificates.ensure(tmp_path, DATACENTER), subject)


def test_the_edge_is_not_trusted_under_a_foreign_name(tmp_path: Path) -> None:
    """The certificate says nothing about other hosts."""
    with pytest.raises(VerificationError):
        _verify(certificates.ensure(tmp_path, DATACENTER), x509.DNSName("example.com"))


@pytest.mark.parametrize("subject", [*LOOPBACK, x509.DNSName(f"server.{DATACENTER}.consul")])
def test_consul_is_trusted_by_processes_under_its_names(tmp_path: Path, subject: x509.GeneralName) -> None:
    """By address, and by the name that says it is a server of its datacenter."""
    made = certificates.ensure(tmp_path, DATACENTER)
    _verify_pair(made.consul, made.consul_authority, subject)


def test_browsers_do_not_trust_consul_nor_processes_the_edge(tmp_path: Path) -> None:
    """The key for web pages opens nothing inside, and the other way round."""
    made = certificates.ensure(tmp_path, DATACENTER)
    for pair, authority in ((made.consul, made.authority), (made.edge, made.consul_authority)):
        with pytest.raises(VerificationError):
            _verify_pair(pair, authority, LOOPBACK[0])


@pytest.mark.parametrize("server", ["postgres", "kafka", "connect"])
def test_what_keeps_data_is_trusted_by_the_authority_of_the_data(tmp_path: Path, server: str) -> None:
    """By address, as clients call it; and by no other authority."""
    made = certificates.ensure(tmp_path, DATACENTER)
    _verify_pair(getattr(made, server), made.data_authority, LOOPBACK[1])
    for authority in (made.authority, made.consul_authority):
        with pytest.raises(VerificationError):
            _verify_pair(getattr(made, server), authority, LOOPBACK[1])


@pytest.mark.parametrize("client", ["operator", "provisioning"])
def test_a_clients_certificate_serves_nothing(tmp_path: Path, client: str) -> None:
    """Who steals it can't be taken for a server."""
    made = certificates.ensure(tmp_path, DATACENTER)
    with pytest.raises(VerificationError):
        _verify_pair(getattr(made, client), made.data_authority, LOOPBACK[1])


def test_whoever_trusts_the_authority_in_a_browser_risks_no_site(tmp_path: Path) -> None:
    """Addresses are not limited: BoringSSL, which gRPC is built with, refuses what stands under such a limit."""
    made = certificates.ensure(tmp_path, DATACENTER)
    limits = _load(made.authority).extensions.get_extension_for_class(x509.NameConstraints)
    assert (limits.critical, limits.value.permitted_subtrees) == (True, [x509.DNSName("localhost")])


def test_a_second_run_keeps_all_certificates(tmp_path: Path) -> None:
    """Nothing is renewed while it is fresh."""
    first = certificates.ensure(tmp_path, DATACENTER)
    before = [_load(pair).serial_number for pair in _all(first)]
    second = certificates.ensure(tmp_path, DATACENTER)
    assert [_load(pair).serial_number for pair in _all(second)] == before


def test_a_certificate_near_its_end_is_renewed_under_the_same_authority(tmp_path: Path) -> None:
    """Two thirds through its life the edge gets a new certificate; clients keep trusting the old authority."""
    first = certificates.ensure(tmp_path, DATACENTER)
    authority, edge = _load(first.authority).serial_number, _load(first.edge).serial_number
    later = dt.datetime.now(dt.UTC) + certificates.SERVER_LIFE * 0.9
    second = certificates.ensure(tmp_path, DATACENTER, now=later)
    assert _load(second.edge).serial_number != edge
    assert _load(second.authority).serial_number == authority


def test_a_certificate_of_another_authority_is_replaced(tmp_path: Path) -> None:
    """An edge certificate left over from an older install is not served."""
    made = certificates.ensure(tmp_path, DATACENTER)
    made.authority.certificate.unlink()
    _verify(certificates.ensure(tmp_path, DATACENTER), x509.DNSName("localhost"))


def test_private_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    """All keys are 0600 and match their certificates."""
    made = certificates.ensure(tmp_path, DATACENTER)
    for pair in _all(made):
        assert stat.S_IMODE(pair.key.stat().st_mode) == 0o600
        key = load_pem_private_key(pair.key.read_bytes(), password=None)
        assert key.public_key() == _load(pair).public_key()
