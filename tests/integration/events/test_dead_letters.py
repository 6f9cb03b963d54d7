"""The command that shows and mends dead letters, as a person runs it."""

import asyncio
import subprocess
import sys

from tests.integration.events.broker import Broker
from tests.integration.events.examples import events
from tests.integration.events.ledger import Clerk, Ledger, environment_of
from tests.integration.events.waiting import eventually, until
from tests.integration.mesh.control_plane.processes import python_environment

POISON = ValueError("the order has no customer")


async def dead_letters(ledger: Ledger, group: str, *arguments: str, code: int = 0) -> list[str]:
    """Run the command for a consumer group; returns the lines it prints."""
    environment = python_environment(**environment_of(ledger.settings))
    command = (sys.executable, "-m", "services.common.dead_letters", "--service", group, *arguments)
    done = await asyncio.to_thread(
        lambda: subprocess.run(command, env=environment, check=False, capture_output=True, text=True)  # noqa: S603
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return (done.stdout + done.stderr).splitlines()


async def test_dead_letters_are_listed_shown_and_replayed(
    broker: Broker, ledger: Ledger, group: str, topic: str
) -> None:
    """What a person needs to decide, and to act on it."""
    clerk = Clerk({("bad", 1): POISON})
    broker.send(events(topic, ["bad"], 2))
    async with ledger.consuming(group, topic, clerk):
        await until(lambda: ledger.count("parked_events"), lambda count: count == 2)
        first, second, total = await dead_letters(ledger, group, "list")
        assert f"FAILED  {topic} key=bad since " in first
        assert first.endswith("REFUSED ValueError: the order has no customer")
        assert f"WAITING {topic} key=bad since " in second
        assert second.endswith("HELD_BACK")
        assert total == "2 parked: 1 failed, 1 waiting for their turn"

        shown = await dead_letters(ledger, group, "show", topic, first.split()[0])
        assert f"  {topic} 0:0" in shown
        assert f"  {topic}.dlq 0:0" in shown
        assert "  ce_subject: bad" in shown
        assert "ordermesh.order.v1.OrderConfirmed {" in shown
        assert '    "id": "bad"' in shown

        clerk.faults.clear()
        (said,) = await dead_letters(ledger, group, "replay", topic)
        assert said == f"1 events of {topic} will be handled again; `list {topic}` shows what is left"
        await eventually(ledger.effects, {"bad": [1, 2]})
        assert await dead_letters(ledger, group, "list", topic) == ["0 parked: 0 failed, 0 waiting for their turn"]


async def test_what_is_not_parked_can_not_be_shown_or_discarded(ledger: Ledger, group: str) -> None:
    """It says so, and how to find what is."""
    for command in ("show", "discard"):
        (said,) = await dead_letters(ledger, group, command, "order-events", "7", code=1)
        assert said == "no event 7 of order-events is parked; `list order-events` shows those that are"
