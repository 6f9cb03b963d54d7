"""Restarts connectors that have failed for good, until they run: Connect itself waits for a person.

python -m deploy.native.connect_watchdog --port 9183

A repaired cause is followed by a restart within LONGEST_PAUSE_S. A connector that somebody paused or stopped is left
alone.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

import httpx
from prometheus_client import Counter, Gauge, start_http_server

from deploy.native import command_line, connect_api
from deploy.native.connect_api import HOST
from deploy.native.runtime import Runtime

LOOK_EVERY_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 10.0, 60.0
# Who has needed no restart for so long begins again with the first pause.
FORGOTTEN_AFTER_S = 300.0

failed = Gauge("ordermesh_connectors_failed", "Connectors that have failed, or a task of which has")
restarts = Counter("ordermesh_connector_restarts_total", "Restarts of connectors that had failed", ["connector"])


@dataclass(frozen=True, slots=True)
class Restart:
    """A restart: its number in a row, when it was by a clock that never goes back, and the time it is given."""

    number: int
    at: float
    pause_s: float


class Watchdog:
    """Decides when a connector that has failed is restarted."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Nothing has been restarted yet."""
        self._now = now
        self._last: dict[str, Restart] = {}

    def due(self, failures: Mapping[str, str]) -> list[str]:
        """Name those of the failed that are to be restarted now; `failures` says of each how it is."""
        failed.set(len(failures))
        return [name for name, cause in failures.items() if self._is_due(name, cause)]

    def _is_due(self, name: str, cause: str) -> bool:
        now, last = self._now(), self._last.get(name)
        if last and now < last.at + last.pause_s:
            return False
        if last and now < last.at + FORGOTTEN_AFTER_S:
            this = Restart(last.number + 1, now, min(2 * last.pause_s, LONGEST_PAUSE_S))
        else:
            this = Restart(1, now, FIRST_PAUSE_S)
        self._last[name] = this
        restarts.labels(name).inc()
        _tell(f"{name} is {cause}; restart {this.number} in a row, another after {this.pause_s:.0f} s if need be")
        return True


def watch(runtime: Runtime) -> NoReturn:
    """Look every few seconds, for as long as the process lives; a Connect that is away is waited for."""
    watchdog, told = Watchdog(), ""
    while True:
        try:
            with connect_api.client(runtime) as connect:
                while True:
                    for name in watchdog.due(connect_api.failures(connect)):
                        connect_api.restart(connect, name, onlyFailed="true")
                    told = ""
                    time.sleep(LOOK_EVERY_S)
        except httpx.HTTPError as error:
            trouble, _, _ = f"Connect does not answer: {str(error) or type(error).__name__}".partition("\n")
            if trouble != told:
                _tell(told := trouble)
        time.sleep(LOOK_EVERY_S)


def _tell(what: str) -> None:
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {what}", flush=True)


def main() -> None:
    """Serve the figures and watch."""
    parser = argparse.ArgumentParser("python -m deploy.native.connect_watchdog")
    parser.add_argument("--port", type=int, required=True, help="where Prometheus finds the figures")
    options = parser.parse_args()
    start_http_server(options.port, HOST)
    watch(command_line.this_stack())


if __name__ == "__main__":
    main()
