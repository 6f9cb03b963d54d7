"""The instances of the services: the stack's own and second ones beside them, and what can happen to them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import httpx

from deploy.native import secrets
from deploy.native.runtime import Runtime
from deploy.native.supervisor import Supervisor
from tests.e2e.shop import eventually

START_S = 180.0
SECOND = 5
"""The number of second instances: how far their ports are from those of the first ones."""


@dataclass(frozen=True)
class Mesh:
    """A running stack, and Consul as its operator sees it."""

    stack: Runtime

    @property
    def supervisor(self) -> Supervisor:
        """What keeps the stack's own programs running."""
        return Supervisor(self.stack, secrets.ensure(self.stack.root, self.stack.topology.services))

    def consul(self, verb: str, path: str, body: object = None) -> httpx.Response:
        """Ask Consul."""
        found = json.loads((self.stack.root / "credentials.json").read_text())
        headers = {"X-Consul-Token": found["consul_token"]}
        return httpx.request(verb, f"{found['consul_http']}{path}", headers=headers, json=body).raise_for_status()

    def healthy(self, service: str) -> int:
        """Count the instances that pass their checks, as far as Consul knows."""
        return len(self.consul("GET", f"/v1/health/service/{service}?passing").json())

    def becomes(self, service: str, healthy: int) -> None:
        """Wait until that many instances are healthy."""

        def found() -> bool:
            with contextlib.suppress(httpx.TransportError, httpx.HTTPStatusError):
                return self.healthy(service) == healthy
            return False

        eventually(found, within_s=START_S)

    def kill(self, programs: Iterable[str]) -> None:
        """End programs of the stack from one moment to the next, and keep them from coming back."""
        asked = list(programs)
        for program in asked:
            os.kill(self.supervisor.state(program).pid, signal.SIGKILL)
        self.supervisor.stop(asked)

    @contextlib.contextmanager
    def another(
        self, service: str, number: int = SECOND, changes: Mapping[str, str] | None = None
    ) -> Iterator["Second"]:
        """Run one more instance of a service, with `changes` to its settings; it leaves in order at the end."""
        one = Second(self, service, number, changes or {})
        one.start()
        try:
            yield one
        finally:
            one.stop()


class Second:
    """A second instance of a service, as a process of the tests' own."""

    def __init__(self, mesh: Mesh, service: str, number: int, changes: Mapping[str, str]) -> None:
        """Prepare one that is not started."""
        stack = mesh.stack
        self.service = service
        self._mesh = mesh
        name = f"{service}-second" if number == SECOND else f"{service}-{number}"
        self._log = stack.log(name)
        self._environment = os.environ | {
            "ORDERMESH_ENV_FILE": str(stack.env_file(service)),
            "ORDERMESH_PORT": str(stack.port(service, "grpc") + number),
            "ORDERMESH_METRICS_PORT": str(stack.port(service, "metrics") + number),
            "ORDERMESH_IDENTITY_FOLDER": str(stack.identity(name)),
            **changes,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, without waiting until it is healthy."""
        with self._log.open("ab") as output:
            command = [sys.executable, "-m", f"services.{self.service}"]
            self._process = subprocess.Popen(  # noqa: S603 - ours
                command, cwd=self._mesh.stack.checkout, env=self._environment, stdout=output, stderr=output
            )

    def kill(self) -> tuple[float, float]:
        """End it; gives the moment of the signal and the one it was gone at, until which it is still sent calls."""
        told = self._signal(signal.SIGKILL)
        assert self._process
        self._process.wait()
        return told, time.time()

    def hang(self) -> float:
        """Let it do nothing any more, with all its connections open; gives the moment."""
        return self._signal(signal.SIGSTOP)

    def wake(self) -> float:
        """Let it go on; gives the moment."""
        return self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Have it leave in order, whatever happened to it before."""
        assert self._process
        self.wake()
        self._process.terminate()
        self._process.wait(timeout=30)

    def _signal(self, number: signal.Signals) -> float:
        assert self._process
        self._process.send_signal(number)
        return time.time()
