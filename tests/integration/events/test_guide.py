"""The consumer that docs/events.md gives other teams: it runs as it is printed there, and keeps what the page says."""

import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from deploy.native.provision.kafka_clients import properties
from tests.integration.conftest import CHECKOUT
from tests.integration.events.broker import Broker
from tests.integration.events.examples import event
from tests.integration.events.waiting import eventually
from tests.integration.mesh.control_plane.processes import Process

EXAMPLE = CHECKOUT / "docs" / "consumer-example.py"


def test_the_page_has_the_example_as_it_is_tested() -> None:
    """Line by line."""
    assert f"```python\n{EXAMPLE.read_text()}```" in (CHECKOUT / "docs" / "events.md").read_text()


async def test_the_example_has_each_event_take_effect_once(broker: Broker, topic: str, tmp_path: Path) -> None:
    """Delivered twice, and with the consumer killed in between; types it does not know are left out."""
    first, second, third = (event(topic, key, 1) for key in ("o1", "o2", "o3"))
    other = event(topic, "o1", 2, headers={"ce_type": b"ordermesh.order.v1.OrderShipped"})
    broker.send([first, first, other, second])
    async with running(broker, topic, tmp_path):
        await eventually(lambda: orders(tmp_path), ["o1", "o2"])
    broker.send([second, third])
    async with running(broker, topic, tmp_path):
        await eventually(lambda: orders(tmp_path), ["o1", "o2", "o3"])
    assert (tmp_path / "log").read_text().split() == ["o1", "o2", "o3"]


@asynccontextmanager
async def running(broker: Broker, topic: str, folder: Path) -> AsyncIterator[None]:
    """Run the example while the body does, and kill it."""
    launch = f"import os, runpy, sys; os.chdir({str(folder)!r}); runpy.run_path({str(EXAMPLE)!r})"
    (folder / "tests.properties").write_text(properties(broker.client))
    process = await Process.start(folder / "log", sys.executable, "-c", launch, "tests.properties", topic)
    try:
        yield
    finally:
        await process.stop(kill=True)


async def orders(folder: Path) -> list[str]:
    """Read what the example has kept, in the order it did."""
    if not (folder / "orders.db").exists():
        return []
    with closing(sqlite3.connect(folder / "orders.db")) as database:
        try:
            return [row[0] for row in database.execute("SELECT id FROM orders ORDER BY rowid")]
        except sqlite3.OperationalError:
            return []
