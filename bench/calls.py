"""Plain gRPC calls as fast as they go: of a bare echo, which is the floor, and of our services with all they do."""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import grpc

from bench import echo, load
from bench.accounts import Cpu
from bench.aside import beside
from bench.load import OK, Outcome
from mesh import errors

ECHO = "bare echo"
# So that connections and caches are as they mostly are.
WARM_UP_S = 0.5
TURNS = 5

Call = Callable[[], Awaitable[object]]


@dataclass(slots=True)
class Calls:
    """What so many calls at once brought, and the CPU seconds that the server and we, the client, spent on them."""

    target: str
    clients: int
    outcome: Outcome = field(default_factory=Outcome)
    server_cpu: float = 0.0
    client_cpu: float = 0.0

    @property
    def server_cpu_per_call(self) -> float:
        """CPU seconds of the server for one good call."""
        return self.server_cpu / self.outcome.good if self.outcome.good else 0.0

    @property
    def client_cpu_per_call(self) -> float:
        """CPU seconds of the client for one good call, the load generator's own among them."""
        return self.client_cpu / self.outcome.good if self.outcome.good else 0.0


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to call: `call` makes one call, `pid` is the server's process."""

    name: str
    call: Call
    pid: int


async def compare(targets: Sequence[Target], clients: Sequence[int], seconds: float) -> list[Calls]:
    """Call each target with each number of clients, for so many seconds each.

    The targets take turns, a short time each, so that a machine that is busy for a while is unjust to none.
    """
    found = []
    for number in clients:
        sums = [Calls(target.name, number) for target in targets]
        for target in targets:
            await load.closed(asking(target.call), number, WARM_UP_S)
        for _ in range(TURNS):
            for target, calls in zip(targets, sums, strict=True):
                await _turn(target, calls, seconds / TURNS)
        found += sums
    return found


async def _turn(target: Target, calls: Calls, seconds: float) -> None:
    before, own = Cpu.read({target.name: target.pid}), time.process_time()
    calls.outcome += await load.closed(asking(target.call), calls.clients, seconds)
    calls.client_cpu += time.process_time() - own
    calls.server_cpu += Cpu.read({target.name: target.pid}).since(before)[target.name]


def asking(call: Call) -> load.Ask:
    """Count a call by its gRPC status."""

    async def ask(_: int) -> str:
        try:
            await call()
        except grpc.aio.AioRpcError as failure:
            return failure.code().name
        except errors.Error as refusal:
            return f"{refusal.code} {refusal.reason}".rstrip()
        return OK

    return ask


@contextlib.asynccontextmanager
async def floor(request_size: int, reply_size: int) -> AsyncIterator[Target]:
    """Start an echo in a process of its own, for messages of the sizes in bytes that are to be compared with."""
    request = bytes(request_size)
    async with (
        beside(echo.__name__, str(reply_size)) as server,
        grpc.aio.insecure_channel(f"{echo.HOST}:{server.ready}") as channel,
    ):
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(echo.METHOD)
        yield Target(ECHO, lambda: call(request), server.pid)
