"""Who this process is to the others: a SPIFFE certificate, signed by Consul on our own key, renewed in time.

What was issued lies in the process's own folder, so that neither a restart nor a Consul that is away takes it back
before it ends.
"""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Callable

import grpc
from prometheus_client import Gauge

from mesh import certificates
from mesh.authority import Authority, Roots
from mesh.certificates import Certificate, Files
from mesh.settings import MeshSettings
from mesh.spiffe import TrustDomain, domain_in
from mesh.telemetry import get_logger

_log = get_logger(__name__)

EXPIRES = Gauge("ordermesh_identity_expires_seconds", "When this process's certificate ends, in seconds since 1970.")

SHORTEST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
# A new root is everybody's to trust before anybody's certificate leads to it.
SETTLE_SECONDS = 5.0
# How long a start with a kept certificate waits for Consul to confirm it.
CONFIRM_SECONDS = 3.0


class TrustDomainChangedError(Exception):
    """Consul lost its data and is another authority now; whoever runs the process starts it anew, under the new one."""


class Identity:
    """A certificate in its folder. `domain` is what its SPIFFE ID belongs to."""

    def __init__(self, settings: MeshSettings, files: Files, certificate: Certificate) -> None:
        """Made by `joined`."""
        self._settings = settings
        self._certificate = certificate
        self.files = files
        self.domain: TrustDomain = domain_in(certificate.spiffe_id)

    def server_credentials(self) -> grpc.ServerCredentials:
        """Serve with the newest certificate; every client must show one.

        Besides the mesh the install's own authority is trusted: Consul's agent, which has no SPIFFE ID, checks our
        health. What a caller may do is decided by the gate, not by the handshake.
        """
        served = 0

        def configuration() -> grpc.ServerCertificateConfiguration:
            trusted = self.files.authorities.read_bytes() + self._settings.consul_ca.read_bytes()
            return grpc.ssl_server_certificate_configuration([self.files.pair()], trusted)

        def newer() -> grpc.ServerCertificateConfiguration | None:
            """Asked at every handshake."""
            nonlocal served
            changed = max(each.stat().st_mtime_ns for each in (self.files.certificate, self.files.authorities))
            if changed == served:
                return None
            served = changed
            return configuration()

        return grpc.dynamic_ssl_server_credentials(
            configuration(),
            newer,  # type: ignore[arg-type]  # None stands for "as before"
            require_client_authentication=True,
        )


@contextlib.asynccontextmanager
async def joined(settings: MeshSettings, names: tuple[str, ...] = ()) -> AsyncIterator[Identity]:
    """Be somebody: with the certificate kept from before while it is good, else as soon as Consul signs one.

    `names` are what clients call the process besides its address.
    """
    files = Files(settings.identity_folder)
    async with Authority(settings) as authority, asyncio.TaskGroup() as tasks:
        issued = asyncio.Event()
        renewal = _Renewal(settings, names, files, authority, issued.set)
        renewing = tasks.create_task(renewal.run())
        await _confirmed(issued, at_once=_good(files.read(), settings, names))
        certificate = files.read()
        if certificate is None:
            message = f"{files.folder} was emptied while it was being filled"
            raise RuntimeError(message)
        EXPIRES.set(certificate.end.timestamp())
        identity = Identity(settings, files, certificate)
        renewal.domain_in_use = identity.domain.name
        try:
            yield identity
        finally:
            renewing.cancel()


async def _confirmed(issued: asyncio.Event, *, at_once: bool) -> None:
    """Wait for Consul's word; `at_once` when a kept certificate will do if Consul is away."""
    try:
        await asyncio.wait_for(issued.wait(), CONFIRM_SECONDS if at_once else None)
    except TimeoutError:
        _log.warning("Consul is away; the certificate from before is used")


def _good(certificate: Certificate | None, settings: MeshSettings, names: tuple[str, ...]) -> bool:
    """Whether a kept certificate is ours as we are called now, and not due."""
    if certificate is None or _now() >= _due(certificate, settings) or certificate.names != names:
        return False
    return domain_in(certificate.spiffe_id).id_of(settings.service) == certificate.spiffe_id


def _due(certificate: Certificate, settings: MeshSettings) -> dt.datetime:
    """Say when to have a new one: after two thirds of its life, or sooner if settings say so."""
    age = settings.certificate_max_age_seconds
    if age is None:
        return certificate.renew_at
    return min(certificate.renew_at, certificate.kept + dt.timedelta(seconds=age))


class _Renewal:
    """Follows the roots, and has a certificate signed when there is none, when it is due, and under each new root."""

    def __init__(
        self,
        settings: MeshSettings,
        names: tuple[str, ...],
        files: Files,
        authority: Authority,
        issued: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._names = names
        self._files = files
        self._authority = authority
        self._issued = issued
        self.domain_in_use = ""
        self._roots: Roots | None = None
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Never ends."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_roots())
            tasks.create_task(self._renew())

    async def _follow_roots(self) -> None:
        """Trust what Consul trusts; while it is away ask again, a little later each time."""
        pause = SHORTEST_PAUSE_SECONDS
        while True:
            try:
                async for roots in self._authority.watch():
                    self._files.trust(roots.bundle)
                    self._roots = roots
                    self._news.set()
                    pause = SHORTEST_PAUSE_SECONDS
            except grpc.aio.AioRpcError as failure:
                _log.warning("Consul's authority can't be asked", error=_words(failure), again_in_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _renew(self) -> None:
        signed_by = ""
        while True:
            roots = await self._known_roots()
            if signed_by not in {"", roots.active}:
                await asyncio.sleep(SETTLE_SECONDS)
            good = _good(self._files.read(), self._settings, self._names)
            if not (good and self._files.is_signed_by(roots.signer)):
                await self._sign(roots)
            self._require_same_domain(roots)
            signed_by = roots.active
            self._issued()
            await self._until_due_or_news()

    def _require_same_domain(self, roots: Roots) -> None:
        """End the process when Consul became another one: everything it was told before is void."""
        if self.domain_in_use not in {"", roots.trust_domain}:
            raise TrustDomainChangedError(roots.trust_domain)

    async def _known_roots(self) -> Roots:
        while self._roots is None:
            await self._news.wait()
        self._news.clear()
        return self._roots

    async def _until_due_or_news(self) -> None:
        kept = self._files.read()
        seconds = (_due(kept, self._settings) - _now()).total_seconds() if kept else 0.0
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), max(seconds, 0.0))

    async def _sign(self, roots: Roots) -> None:
        spiffe_id = TrustDomain(roots.trust_domain, self._settings.datacenter).id_of(self._settings.service)
        key = certificates.new_key()
        chain = await self._signed(certificates.request(key, spiffe_id, self._settings.host, self._names)) + roots.chain
        self._files.keep(key, chain)
        kept = self._files.read()
        if kept:
            EXPIRES.set(kept.end.timestamp())
            _log.info("identity issued", spiffe_id=spiffe_id, until=kept.end.isoformat())

    async def _signed(self, request: bytes) -> bytes:
        """Ask until it is signed: nobody can do without."""
        pause = SHORTEST_PAUSE_SECONDS
        while True:
            try:
                return await self._authority.sign(request)
            except grpc.aio.AioRpcError as failure:
                _log.warning("Consul signs no certificate", error=_words(failure), again_in_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _words(failure: grpc.aio.AioRpcError) -> str:
    return failure.details() or failure.code().name


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
