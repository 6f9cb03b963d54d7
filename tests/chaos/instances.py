"""Second instances of all services, beside those that the stack has."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from deploy.native.runtime import Runtime
from tests.e2e.shop import eventually

START_S = 60.0


@dataclass(frozen=True)
class Second:
    """A second instance of a service as a process of ours."""

    service: str
    process: subprocess.Popen[bytes]


def healthy(stack: Runtime, service: str) -> int:
    """Ask Consul how many instances pass their checks."""
    found = json.loads((stack.root / "credentials.json").read_text())
    headers = {"X-Consul-Token": found["consul_token"]}
    reply = httpx.get(f"{found['consul_http']}/v1/health/service/{service}?passing", headers=headers)
    return len(reply.raise_for_status().json())


@contextlib.contextmanager
def _started(stack: Runtime, service: str) -> Iterator[Second]:
    """Run one until the end; it is told to stop, and leaves in order."""
    log = stack.log(f"{service}-second")
    environment = os.environ | {
        "ORDERMESH_ENV_FILE": str(stack.env_file(service)),
        "ORDERMESH_PORT": str(stack.port(service, "grpc") + 1),
        "ORDERMESH_METRICS_PORT": str(stack.port(service, "metrics") + 1),
        "ORDERMESH_IDENTITY_FOLDER": str(stack.identity(f"{service}-second")),
    }
    with log.open("wb") as output:
        command = [sys.executable, "-m", f"services.{service}"]
        process = subprocess.Popen(command, cwd=stack.checkout, env=environment, stdout=output, stderr=output)  # noqa: S603 - ours
    try:
        yield Second(service, process)
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="package")
def second_instances(stack: Runtime) -> Iterator[dict[str, Second]]:
    """One for each service, all of them healthy."""
    with contextlib.ExitStack() as running:
        found = {name: running.enter_context(_started(stack, name)) for name in stack.topology.services}
        for name in found:
            eventually(lambda: healthy(stack, name) == 2, within_s=START_S)  # noqa: B023 - called at once
        yield found
