"""Three small authorities of the install, and what they sign: for the edge's https, for Consul, and for the data.

Of all names the edge's may sign for localhost only: who trusts it in a browser risks no site. Addresses can't be
limited as well: gRPC's TLS refuses an authority that does. Consul's is trusted by our own processes alone, which have
their certificates from Consul itself (mesh.identity). The third signs for PostgreSQL, Kafka and Connect, and for the
two clients that need no password there: the operator's tools, and what provisions Kafka.
"""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.native.runtime import Runtime
from deploy.native.secrets import write_private

TLS = "tls"
AUTHORITY_LIFE = dt.timedelta(days=3650)
# Browsers refuse server certificates that live longer than 398 days.
SERVER_LIFE = dt.timedelta(days=397)
CLOCK_SKEW = dt.timedelta(minutes=5)
LOOPBACK_NAME = "localhost"
LOOPBACK_ADDRESS = "127.0.0.1"
LOCALHOST_ONLY = x509.NameConstraints([x509.DNSName(LOOPBACK_NAME)], None)
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
# How Kafka knows the two that may do anything; they prove it by certificate.
KAFKA_NAME, PROVISIONING_NAME = "ordermesh Kafka", "ordermesh provisioning"


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """What the components serve with, the authorities by which they are verified, and two clients' certificates.

    The files are named like the fields, but for `authority`, which people are told of.
    """

    authority: Pair
    edge: Pair
    consul_authority: Pair
    consul: Pair
    data_authority: Pair
    postgres: Pair
    kafka: Pair
    connect: Pair
    operator: Pair
    provisioning: Pair


NAMES = {"authority": "ca", "consul_authority": "consul-ca", "data_authority": "data-ca"}


def of(runtime: Runtime) -> Certificates:
    """Make an install's certificates, or find them where they were put."""
    return ensure(runtime.config(TLS), runtime.topology.mesh.datacenter)


def consul_authority(runtime: Runtime) -> Path:
    """Name the certificate by which Consul is verified."""
    return runtime.config(TLS) / "consul-ca.pem"


def data_authority(runtime: Runtime) -> Path:
    """Name the certificate by which PostgreSQL, Kafka and Connect are verified."""
    return runtime.config(TLS) / "data-ca.pem"


def operator(runtime: Runtime) -> Pair:
    """Name the certificate that the operator's tools show."""
    return Pair(runtime.config(TLS) / "operator.pem", runtime.config(TLS) / "operator-key.pem")


def verified(authority: Path, shown: Pair | None = None) -> ssl.SSLContext:
    """Make what a client of ours connects with: it believes one authority, and may show a certificate."""
    context = ssl.create_default_context(cafile=authority)
    if shown:
        context.load_cert_chain(shown.certificate, shown.key)
    return context


def ensure(directory: Path, datacenter: str, *, now: dt.datetime | None = None) -> Certificates:
    """Make what is missing in `directory`, and anew what has less than a third of its life left."""
    now = now or dt.datetime.now(dt.UTC)
    names = (NAMES.get(field.name, field.name) for field in fields(Certificates))
    made = Certificates(*(Pair(directory / f"{name}.pem", directory / f"{name}-key.pem") for name in names))
    for pair, name, limits in (
        (made.authority, "ordermesh install CA", LOCALHOST_ONLY),
        (made.consul_authority, "ordermesh Consul CA", None),
        (made.data_authority, "ordermesh data CA", None),
    ):
        if not _usable(pair, now):
            _write(pair, *_new_authority(name, now, limits))
    # By this name, and no other, a server of Consul's knows another.
    consul_name = x509.DNSName(f"server.{datacenter}.consul")
    for pair, authority, name, purposes, more_names in (
        (made.edge, made.authority, "ordermesh edge", [SERVER], ()),
        (made.consul, made.consul_authority, "ordermesh Consul", [SERVER, CLIENT], (consul_name,)),
        (made.postgres, made.data_authority, "ordermesh PostgreSQL", [SERVER], ()),
        (made.kafka, made.data_authority, KAFKA_NAME, [SERVER, CLIENT], ()),
        (made.connect, made.data_authority, "ordermesh Connect", [SERVER], ()),
        (made.operator, made.data_authority, "ordermesh operator", [CLIENT], ()),
        (made.provisioning, made.data_authority, PROVISIONING_NAME, [CLIENT], ()),
    ):
        if not _good(pair, authority, now):
            _write(pair, *_new_leaf(name, authority, now, purposes, more_names))
    return made


def _good(pair: Pair, authority: Pair, now: dt.datetime) -> bool:
    return _usable(pair, now) and _signed_by(pair, authority)


def _usable(pair: Pair, now: dt.datetime) -> bool:
    if not (pair.certificate.exists() and pair.key.exists()):
        return False
    certificate = _read(pair)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now < end - (end - begin) / 3


def _signed_by(pair: Pair, authority: Pair) -> bool:
    try:
        _read(pair).verify_directly_issued_by(_read(authority))
    except Exception:  # noqa: BLE001 - whatever is wrong with it, the answer is a new certificate
        return False
    return True


def _read(pair: Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes())


def _write(pair: Pair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(pair.key, pem.decode())
    write_private(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM).decode())
    pair.certificate.chmod(0o644)


def _new_authority(
    common_name: str, now: dt.datetime, limits: x509.NameConstraints | None = None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name)
    builder = (
        _builder(name, name, key, now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    if limits:
        builder = builder.add_extension(limits, critical=True)
    return builder.sign(key, hashes.SHA256()), key


def _new_leaf(
    common_name: str,
    authority: Pair,
    now: dt.datetime,
    purposes: list[x509.ObjectIdentifier],
    more_names: Sequence[x509.GeneralName] = (),
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Sign for the loopback names, and maybe more."""
    authority_key = serialization.load_pem_private_key(authority.key.read_bytes(), password=None)
    if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
        message = f"{authority.key} is not an elliptic curve key"
        raise TypeError(message)
    key = ec.generate_private_key(ec.SECP256R1())
    loopback = [x509.DNSName(LOOPBACK_NAME), x509.IPAddress(ipaddress.ip_address(LOOPBACK_ADDRESS))]
    builder = (
        _builder(_name(common_name), _read(authority).subject, key, now, SERVER_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName([*loopback, *more_names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    return builder.sign(authority_key, hashes.SHA256()), key


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
    life: dt.timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
