"""An authority that signs as Consul's does, without a Consul, and the handshake of who serves behind the edge."""

import datetime as dt
import ipaddress
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from mesh.certificates import Files, new_key
from mesh.spiffe import TrustDomain

DOMAIN = TrustDomain("11111111-2222-3333-4444-555555555555.consul", "dc1")
LIFE = dt.timedelta(hours=1)


class Authority:
    """Makes members of a mesh."""

    def __init__(self) -> None:
        """Make its own key and certificate."""
        self._key = new_key()
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mesh of the tests")])
        unsigned = _certificate(self._name, self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))
        self._certificate = unsigned.sign(self._key, hashes.SHA256())

    def admit(
        self, folder: Path, *services: str, domain: TrustDomain = DOMAIN, age: dt.timedelta = dt.timedelta()
    ) -> Files:
        """Put what says that somebody is one service, or several, into a folder; again, for a new certificate.

        `age` moves its life into the past.
        """
        key, files = new_key(), Files(folder)
        ids = [x509.UniformResourceIdentifier(domain.id_of(each)) for each in services]
        names = [*ids, x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        unsigned = (
            _certificate(x509.Name([]), self._name, key, x509.BasicConstraints(ca=False, path_length=None), age)
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        )
        files.trust(self._certificate.public_bytes(serialization.Encoding.PEM))
        files.keep(key, unsigned.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return files


def credentials(member: Files) -> grpc.ServerCredentials:
    """Serve as a member, to members."""
    pair = (member.key.read_bytes(), member.certificate.read_bytes())
    return grpc.ssl_server_credentials([pair], member.authorities.read_bytes(), require_client_auth=True)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    constraints: x509.BasicConstraints,
    age: dt.timedelta = dt.timedelta(),
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC) - age
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - LIFE)
        .not_valid_after(now + LIFE)
        .add_extension(constraints, critical=True)
    )
