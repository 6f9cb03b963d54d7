"""What Connect says of its connectors, and the restart of those that have failed; apart from how they are made."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from deploy.native import certificates
from deploy.native.runtime import Runtime
from deploy.native.secrets import CONNECT

HOST = "127.0.0.1"
REQUEST_TIMEOUT_S = 30
BRIEFLY_S = 5
WATCHDOG = "connect-watchdog"

Status = Mapping[str, Any]


def client(runtime: Runtime, *, timeout_s: float = REQUEST_TIMEOUT_S) -> httpx.Client:
    """Speak to Connect's REST API as the operator."""
    context = certificates.verified(certificates.data_authority(runtime), certificates.operator(runtime))
    return httpx.Client(
        base_url=f"https://{HOST}:{runtime.port(CONNECT, 'https')}", timeout=timeout_s, verify=context, trust_env=False
    )


def statuses(connect: httpx.Client) -> dict[str, Status]:
    """Ask for the status of every connector, by name. Raises httpx.HTTPError."""
    found = connect.get("/connectors", params={"expand": "status"}).raise_for_status().json()
    return {name: entry["status"] for name, entry in found.items()}


def parts(status: Status) -> list[dict[str, Any]]:
    """Take a status apart: the connector, then its tasks. The one may run while the others have failed."""
    return [status["connector"], *status["tasks"]]


def describe(part: Mapping[str, Any]) -> str:
    """Say in a line how a connector or a task is: its state, and the cause without the frames below it."""
    cause, _, _ = str(part.get("trace", "")).partition("\n")
    return f"{part['state']} {cause}".strip()


def failures(connect: httpx.Client) -> dict[str, str]:
    """Find the connectors that have stopped for good, or a task of which has, with the cause. Raises httpx.HTTPError.

    Errors that Debezium doesn't think worth repeating end a task also when their cause passes, and Connect has no
    setting that would start it again.
    """
    return {
        name: describe(failed[0])
        for name, status in sorted(statuses(connect).items())
        if (failed := [part for part in parts(status) if part["state"] == "FAILED"])
    }


def restart(connect: httpx.Client, name: str, **which: str) -> None:
    """Restart a connector and its tasks; with onlyFailed="true" those that have failed. Raises httpx.HTTPError."""
    reply = connect.post(f"/connectors/{name}/restart", params={"includeTasks": "true", **which})
    # 409: the worker is rebalancing, which starts everything anyhow.
    if reply.status_code != httpx.codes.CONFLICT:
        reply.raise_for_status()


def complaints(runtime: Runtime) -> Iterator[str]:
    """Say for `make status` which connectors have failed; nothing while Connect is away, which has its own line."""
    try:
        with client(runtime, timeout_s=BRIEFLY_S) as connect:
            found = failures(connect)
    except httpx.HTTPError:
        return
    for name, cause in found.items():
        yield f"connector {name} is {cause}; it is restarted until it runs: make logs s={WATCHDOG}"
