"""What is made of Connect's answers about its connectors."""

from typing import Any

import httpx
import pytest

from deploy.native import connect_api


def connect_with(*tasks: str, connector: str = "RUNNING", restart: int = 202) -> httpx.Client:
    """A Connect that has one connector with these tasks; `restart` is how it answers to a restart."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(restart)
        parts = [{"state": state, "trace": f"cause of {state}\n\tat somewhere"} for state in tasks]
        status: dict[str, Any] = {"connector": {"state": connector}, "tasks": parts}
        return httpx.Response(200, json={"order-outbox": {"status": status}})

    return httpx.Client(base_url="http://connect", transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("connector", "task", "failures"),
    [
        ("RUNNING", "FAILED", {"order-outbox": "FAILED cause of FAILED"}),
        ("FAILED", "RUNNING", {"order-outbox": "FAILED"}),
        ("RUNNING", "RUNNING", {}),
        ("PAUSED", "PAUSED", {}),
        ("STOPPED", "UNASSIGNED", {}),
    ],
)
def test_a_failed_task_fails_a_running_connector(connector: str, task: str, failures: dict[str, str]) -> None:
    """Connect says RUNNING of a connector whose only task has stopped; one that a person stopped has not failed."""
    with connect_with(task, connector=connector) as connect:
        assert connect_api.failures(connect) == failures


def test_a_worker_that_is_rebalancing_needs_no_restart() -> None:
    """It says 409, and starts everything by itself."""
    with connect_with("FAILED", restart=409) as connect:
        connect_api.restart(connect, "order-outbox", onlyFailed="true")


def test_a_restart_that_is_refused_is_an_error() -> None:
    """Whoever asked tries again."""
    with connect_with("FAILED", restart=500) as connect, pytest.raises(httpx.HTTPStatusError):
        connect_api.restart(connect, "order-outbox")
