"""A process's certificate on disk: whom to trust, and key and certificate, which are replaced together."""

import datetime as dt
import ipaddress
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
RENEW_AFTER = 2 / 3
"""The share of its life after which a certificate is replaced."""

_KEY, _CERTIFICATE = "key.pem", "cert.pem"
_PAIR = "pair-"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A leaf that was issued; `names` are further names in it; it came when it was `kept`: Consul predates."""

    spiffe_id: str
    names: tuple[str, ...]
    begin: dt.datetime
    end: dt.datetime
    kept: dt.datetime
    serial: str

    @property
    def renew_at(self) -> dt.datetime:
        """When to have a new one."""
        return self.begin + (self.end - self.begin) * RENEW_AFTER


@dataclass(frozen=True, slots=True)
class Files:
    """Where gRPC and Envoy read from; they look again when a file is replaced."""

    folder: Path

    @property
    def authorities(self) -> Path:
        """Whom to trust."""
        return self.folder / "ca.pem"

    @property
    def key(self) -> Path:
        """The private key."""
        return self.folder / _KEY

    @property
    def certificate(self) -> Path:
        """The leaf, and what leads to a root."""
        return self.folder / _CERTIFICATE

    def pair(self) -> tuple[bytes, bytes]:
        """Read the key and the certificate that goes with it."""
        folder = self.certificate.resolve().parent
        return (folder / _KEY).read_bytes(), (folder / _CERTIFICATE).read_bytes()

    def read(self) -> Certificate | None:
        """Read what is there; None unless all of it is."""
        if not (self.authorities.exists() and self.key.exists() and self.certificate.exists()):
            return None
        leaf = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        (spiffe_id,) = names.get_values_for_type(x509.UniformResourceIdentifier)
        also = tuple(names.get_values_for_type(x509.DNSName))
        kept = dt.datetime.fromtimestamp(self.certificate.stat().st_mtime, dt.UTC)
        begin, end, serial = leaf.not_valid_before_utc, leaf.not_valid_after_utc, f"{leaf.serial_number:x}"
        return Certificate(spiffe_id, also, begin, end, kept, serial)

    def is_signed_by(self, signer: bytes) -> bool:
        """Tell whether the certificate kept here was signed by this one, PEM."""
        leaf = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        try:
            leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(signer))
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True

    def trust(self, bundle: bytes) -> None:
        """Replace whom to trust."""
        _write(self.authorities, bundle)

    def keep(self, key: ec.EllipticCurvePrivateKey, chain: bytes) -> None:
        """Replace key and certificate in one step, by a link to the folder of the pair.

        gRPC reads one and then the other, and again if they changed meanwhile; of two that are replaced one after the
        other it may take the new key with the old certificate, and refuse every handshake until it looks again.
        """
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        pair = self.folder / f"{_PAIR}{time.time_ns()}"
        self.folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        _write(pair / _KEY, key.private_bytes(encoding, form, serialization.NoEncryption()))
        _write(pair / _CERTIFICATE, chain)
        before = self._present.resolve().name
        _link(self._present, pair.name)
        for file in (self.key, self.certificate):
            if not file.is_symlink():
                _link(file, f"{self._present.name}/{file.name}")
        # Who is just reading the pair from before still finds it.
        for old in self.folder.glob(f"{_PAIR}*"):
            if old.name not in {pair.name, before}:
                shutil.rmtree(old, ignore_errors=True)

    @property
    def _present(self) -> Path:
        return self.folder / "present"


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb") as output:
        output.write(content)
    fresh.replace(file)


def _link(place: Path, target: str) -> None:
    fresh = place.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(place)


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make a key."""
    return ec.generate_private_key(ec.SECP256R1())


def request(key: ec.EllipticCurvePrivateKey, spiffe_id: str, host: str, names: Iterable[str]) -> bytes:
    """Write a certificate request: the identity, the address and further names that clients know it by; PEM."""
    address = x509.IPAddress(ipaddress.ip_address(host))
    known_as = [x509.UniformResourceIdentifier(spiffe_id), address, *map(x509.DNSName, names)]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName(known_as), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
