"""Another configuration, or another Envoy, while requests come in: none of them fails."""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest_asyncio

import gateway
from deploy.native import components
from gateway import EdgeSettings
from tests.integration.gateway.installation import FIGURES, Edge, control_plane, install, restartable
from tests.integration.gateway.tokens import bearer, token
from tests.integration.mesh.control_plane.processes import Process, eventually, listens

CLIENTS = 4
PATH = "/api/v1/orders/1"


@pytest_asyncio.fixture
async def running(
    envoy_binary: Path, programs: components.Components, tmp_path: Path
) -> AsyncIterator[tuple[Edge, Process]]:
    """Run an edge that may be restarted, with something behind it."""
    edge = install(tmp_path, programs.protoc_gen_openapi)
    async with restartable(envoy_binary, edge) as process, control_plane(edge):
        await edge.backend.start()
        await _serves(edge)
        yield edge, process
        await edge.backend.stop()


async def test_no_request_fails_while_a_new_configuration_takes_over(
    running: tuple[Edge, Process], programs: components.Components
) -> None:
    """Over kept connections and new ones; afterwards the new configuration holds, and the old process is gone."""
    edge, process = running
    async with _load(edge) as outcomes:
        settings = EdgeSettings.load(overrides=(*FIGURES, "limits.max_body_bytes=10"))
        changed = replace(edge.options, settings=settings)
        await asyncio.to_thread(gateway.write, changed, generator=programs.protoc_gen_openapi)
        os.kill(process.pid, signal.SIGHUP)
        await eventually(lambda: "epoch 0 ended with 0" in edge.log.read_text(), seconds=60)
        await _a_round_more(outcomes)

    assert outcomes.keys() == {200}
    async with httpx.AsyncClient(base_url=edge.http) as http:
        headers = bearer(token("orders.create"))
        assert (await http.post("/api/v1/orders", json={"note": "x" * 50}, headers=headers)).status_code == 413


async def test_a_configuration_that_envoy_refuses_changes_nothing(running: tuple[Edge, Process]) -> None:
    """The old one goes on, and a good one takes over later."""
    edge, process = running
    bootstrap = edge.options.files.bootstrap
    good = bootstrap.read_text()
    async with _load(edge) as outcomes:
        bootstrap.write_text("{}broken")
        os.kill(process.pid, signal.SIGHUP)
        await eventually(lambda: "the old one stays" in edge.log.read_text(), seconds=60)
        await _a_round_more(outcomes)
        bootstrap.write_text(good)
        os.kill(process.pid, signal.SIGHUP)
        await eventually(lambda: "epoch 0 ended with 0" in edge.log.read_text(), seconds=60)
        await _a_round_more(outcomes)

    assert outcomes.keys() == {200}


async def test_nobody_is_left_behind_when_it_is_killed(running: tuple[Edge, Process]) -> None:
    """A supervisor that starts it again finds the ports free."""
    edge, process = running
    await process.stop(kill=True)

    await eventually(lambda: not listens(edge.options.ports.http))


async def _serves(edge: Edge) -> None:
    headers = bearer(token("orders.read"))
    async with httpx.AsyncClient(base_url=edge.http) as http, asyncio.timeout(30):
        while (await http.get(PATH, headers=headers)).is_error:  # noqa: ASYNC110 - Envoy finds out
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def _load(edge: Edge) -> AsyncIterator[Counter[int | str]]:
    """Ask all the time, each client one request after the other, and count how it went."""
    outcomes: Counter[int | str] = Counter()
    over = asyncio.Event()

    async def ask() -> None:
        async with httpx.AsyncClient(base_url=edge.http) as http:
            while not over.is_set():
                try:
                    outcomes[(await http.get(PATH, headers=bearer(token("orders.read")))).status_code] += 1
                except httpx.TransportError as error:
                    outcomes[repr(error)] += 1

    async with asyncio.TaskGroup() as clients:
        for _ in range(CLIENTS):
            clients.create_task(ask())
        await _a_round_more(outcomes)
        yield outcomes
        over.set()


async def _a_round_more(outcomes: Counter[int | str]) -> None:
    wanted = outcomes.total() + 20
    await eventually(lambda: outcomes.total() >= wanted, seconds=60)
