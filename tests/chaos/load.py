"""Load on the shop while something happens to it; see tests.chaos.traffic for who calls."""

import contextlib
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import httpx

from deploy.native.runtime import Runtime
from tests.chaos.calls import Call, Calls
from tests.chaos.traffic import EDGE, MESH, REST, Plan
from tests.e2e.shop import Shop, eventually

CALLERS = {REST: 2, EDGE: 3, MESH: 3}
CUSTOMERS = 10
"""Enough to stay within what the edge allows each of them a minute."""

START_S = 180.0


class Load:
    """Callers at work."""

    def __init__(self, process: subprocess.Popen[bytes], written: Path) -> None:
        """`written` grows by a line for each call."""
        self._process = process
        self._written = written

    def calls(self) -> Calls:
        """Read what was made so far; a line that is just being written is left out."""
        text = self._written.read_text() if self._written.exists() else ""
        return Calls(Call(**json.loads(line)) for line in text.splitlines(keepends=True) if line.endswith("\n"))

    def goes_on(self, since: float, calls: int = 50) -> None:
        """Wait until that many calls of each way were begun and answered since a moment."""
        assert self._process.poll() is None, "the traffic ended by itself; see its log"

        def enough() -> bool:
            begun = [call.via for call in self.calls() if call.begun >= since and call.code == "OK"]
            return all(begun.count(via) >= calls for via in CALLERS)

        eventually(enough, within_s=START_S)

    def stop(self) -> Calls:
        """Let every call under way end, and give all."""
        if self._process.stdin:
            self._process.stdin.close()
        assert self._process.wait(timeout=60) == 0, "the traffic failed; see its log"
        return self.calls()


@contextlib.contextmanager
def under_load(stack: Runtime, shop: Shop, folder: Path, changes: Mapping[str, str] | None = None) -> Iterator[Load]:
    """Have everybody call while the body runs; `changes` are settings of the caller inside the mesh."""
    plan, written = folder / "plan.json", folder / f"calls-{uuid.uuid4().hex[:8]}.jsonl"
    plan.write_text(json.dumps(asdict(_plan(stack, shop, dict(changes or {})))))
    with (folder / "traffic.log").open("ab") as log:
        command = [sys.executable, "-m", "tests.chaos.traffic", str(plan), str(written)]
        process = subprocess.Popen(command, cwd=stack.checkout, stdin=subprocess.PIPE, stdout=log, stderr=log)  # noqa: S603
    load = Load(process, written)
    try:
        load.goes_on(since=0, calls=10)
        yield load
    finally:
        if process.stdin:
            process.stdin.close()
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=30)


def _plan(stack: Runtime, shop: Shop, changes: dict[str, str]) -> Plan:
    found = json.loads((stack.root / "credentials.json").read_text())
    skus = [shop.stock(units=1_000_000) for _ in range(CUSTOMERS)]
    customers = [shop.customer() for _ in range(CUSTOMERS)]
    environment = {
        "ORDERMESH_ENV_FILE": str(stack.env_file("order")),
        "ORDERMESH_IDENTITY_FOLDER": str(stack.identity("order-traffic")),
        # Not listened on: they only make its name its own.
        "ORDERMESH_PORT": str(stack.port("order", "grpc") + 9),
        "ORDERMESH_METRICS_PORT": str(stack.port("order", "metrics") + 9),
    }
    return Plan(
        rest=found["edge_http"],
        grpc=httpx.URL(found["edge_https"]).netloc.decode(),
        authority=Path(found["ca"]).read_text(),
        tokens=[customer.http.headers["Authorization"].removeprefix("Bearer ") for customer in customers],
        orders=[customer.place(sku)["id"] for customer, sku in zip(customers, skus, strict=True)],
        skus=skus,
        environment=environment | changes,
        callers=CALLERS,
    )
