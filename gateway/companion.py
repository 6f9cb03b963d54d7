"""What the edge's Envoy cannot do by itself: keep its certificate fresh, and hear which tokens are revoked.

`python -m gateway.companion` runs beside each Envoy. Auth is asked once a second, as the edge, over the mesh. While it
is away, what was heard last stays in force, and the time of it is in a metric; Envoy never waits for any of this.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

import uvloop
from prometheus_client import Counter, Gauge, start_http_server
from pydantic import Field

from gateway.revocations import LIMIT, Revoked, write
from mesh import errors
from mesh.client import Clients
from mesh.contract import Contract
from mesh.identity import joined
from mesh.settings import MeshSettings
from mesh.telemetry import configure_logging, get_logger
from mesh.workers import keep_running
from mesh.xds import write_bootstrap
from ordermesh.auth.v1 import revocation_service_pb2 as pb
from ordermesh.auth.v1.revocation_service_pb2_grpc import RevocationServiceStub

_log = get_logger(__name__)

NAME = "edge-identity"
"""What it is called as a client of the control plane, which tells `edge` what Envoy understands, and not gRPC."""

SERVICE = "ordermesh.auth.v1.RevocationService"
PAUSE_SECONDS = 1.0

LISTED = Gauge(
    "ordermesh_edge_revocations", "Ids whose tokens the edge refuses, by the claim that has them.", ("claim",)
)
LEFT_OUT = Gauge(
    "ordermesh_edge_revocations_left_out", "Ids beyond what the edge takes; their tokens pass until they end."
)
HEARD = Gauge("ordermesh_edge_revocations_heard_seconds", "When auth last told what is revoked, in seconds since 1970.")
FAILED = Counter("ordermesh_edge_revocations_failures_total", "Times the edge could not learn what is revoked.")

Ask = Callable[[pb.GetRevocationsRequest], Awaitable[pb.Revocations]]


class CompanionSettings(MeshSettings):
    """Settings of `python -m gateway.companion`."""

    revoked_tokens: Path = Field(description="the file in which Envoy finds the tokens to refuse")


class Revocations:
    """Brings what auth has revoked to Envoy."""

    def __init__(self, ask: Ask, file: Path) -> None:
        """`ask` raises mesh.errors; `file` is Envoy's."""
        self._ask = ask
        self._file = file
        self._lost = False
        self._left_out = 0

    async def follow(self, stop: asyncio.Event) -> None:
        """Ask until stopped."""
        while not stop.is_set():
            await self.look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PAUSE_SECONDS)

    async def look(self) -> None:
        """Ask once, and write what changed. What fails is counted, and said once until it goes well again."""
        try:
            answer = await self._ask(pb.GetRevocationsRequest(limit=LIMIT))
            revoked = Revoked(frozenset(answer.token_ids), frozenset(answer.session_ids), frozenset(answer.subjects))
            changed = write(self._file, revoked)
        except (errors.Error, OSError) as failure:
            self._failed(failure)
            return
        self._heard(revoked, answer.left_out_count, changed=changed)

    def _failed(self, failure: Exception) -> None:
        FAILED.inc()
        if not self._lost:
            _log.warning("what is revoked can't be learnt; what was known holds", error=str(failure))
        self._lost = True

    def _heard(self, revoked: Revoked, left_out: int, *, changed: bool) -> None:
        HEARD.set_to_current_time()
        LEFT_OUT.set(left_out)
        for claim, ids in revoked.by_claim.items():
            LISTED.labels(claim).set(len(ids))
        if self._lost:
            _log.info("what is revoked is heard again")
        if left_out and not self._left_out:
            _log.error("more is revoked than the edge takes; what ends first passes", taken=len(revoked), over=left_out)
        if changed:
            _log.debug("revocations changed", ids=len(revoked))
        self._lost, self._left_out = False, left_out


async def run(settings: CompanionSettings) -> None:
    """Be the edge until cancelled."""
    async with joined(settings) as identity, contextlib.AsyncExitStack() as stack:
        known_as = settings.model_copy(update={"service": NAME})
        os.environ["GRPC_XDS_BOOTSTRAP"] = str(write_bootstrap(known_as, identity.files))
        contract = Contract()
        contract.learn(SERVICE)
        clients = Clients(contract)
        stack.push_async_callback(clients.close)
        auth = clients.client(RevocationServiceStub, SERVICE)
        revocations = Revocations(auth.GetRevocations, settings.revoked_tokens)
        await keep_running("revocations", revocations.follow, asyncio.Event())


async def _until_signalled(work: Coroutine[None, None, None]) -> None:
    running = asyncio.create_task(work)
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


def main() -> None:
    """Read the settings from the environment, and run."""
    settings = CompanionSettings()
    configure_logging(settings.log_level, settings.service)
    start_http_server(settings.metrics_port, settings.host)
    uvloop.run(_until_signalled(run(settings)))


if __name__ == "__main__":
    main()
