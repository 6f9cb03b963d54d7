"""The install's certificate authority and the edge's server certificate, so that https works from the start.

Of all names the authority may sign for localhost only: who trusts it in a browser risks no site. Addresses can't be
limited as well: gRPC's TLS refuses an authority that does.
"""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.native.secrets import write_private

AUTHORITY_LIFE = dt.timedelta(days=3650)
# Browsers refuse server certificates that live longer than 398 days.
SERVER_LIFE = dt.timedelta(days=397)
CLOCK_SKEW = dt.timedelta(minutes=5)
LOOPBACK_NAME = "localhost"
LOOPBACK_ADDRESS = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """What the edge serves with, and the authority its clients verify it by."""

    authority: Pair
    edge: Pair


def ensure(directory: Path, *, now: dt.datetime | None = None) -> Certificates:
    """Make what is missing in `directory`, and anew what has less than a third of its life left."""
    now = now or dt.datetime.now(dt.UTC)
    authority = Pair(directory / "ca.pem", directory / "ca-key.pem")
    edge = Pair(directory / "edge.pem", directory / "edge-key.pem")
    if not _usable(authority, now):
        _write(authority, *_new_authority(now))
        edge.certificate.unlink(missing_ok=True)
    if not (_usable(edge, now) and _signed_by(edge, authority)):
        _write(edge, *_new_server(authority, now))
    return Certificates(authority, edge)


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


def _new_authority(now: dt.datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("ordermesh install CA")
    permitted = [
        x509.DNSName(LOOPBACK_NAME),
    ]
    builder = (
        _builder(name, name, key, now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
    )
    return builder.sign(key, hashes.SHA256()), key


def _new_server(authority: Pair, now: dt.datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    authority_key = serialization.load_pem_private_key(authority.key.read_bytes(), password=None)
    if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
        message = f"{authority.key} is not an elliptic curve key"
        raise TypeError(message)
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName(LOOPBACK_NAME), x509.IPAddress(ipaddress.ip_address(LOOPBACK_ADDRESS))]
    builder = (
        _builder(_name("ordermesh edge"), _read(authority).subject, key, now, SERVER_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
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
