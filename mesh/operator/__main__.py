"""`make mesh`: what every process of the mesh believes, and what is not as it should be."""

import argparse
import asyncio
import datetime as dt
import json
import sys

import aiohttp
from pydantic import Field

from mesh.blocking_queries import ConsulUnreadableError, agent_of
from mesh.headers import OPERATOR
from mesh.identity import joined
from mesh.operator import edge, layout
from mesh.operator.report import Report
from mesh.operator.survey import survey
from mesh.settings import MeshSettings
from mesh.telemetry import configure_logging

JOIN_SECONDS = 10.0


class OperatorSettings(MeshSettings):
    """An operator listens nowhere."""

    port: int = 0
    metrics_port: int = 0
    edges: str = Field(default="", description="where the administration of each edge listens, commas between")


async def look(settings: OperatorSettings) -> Report:
    """Ask everybody. Raises TimeoutError when nobody gives us an identity."""
    async with asyncio.timeout(JOIN_SECONDS) as patience, joined(settings) as identity:
        patience.reschedule(None)
        async with agent_of(settings) as agent:
            found, edges = await asyncio.gather(
                survey(agent, identity), asyncio.gather(*map(edge.ask, filter(None, settings.edges.split(","))))
            )
    return Report(found, edges, dt.datetime.now(dt.UTC))


def main() -> None:
    """Print the report; exit with 1 when something is not as it should be, with 2 when nothing could be asked."""
    parser = argparse.ArgumentParser("python -m mesh.operator", description=__doc__)
    parser.add_argument("--service", default="", help="tell all about the instances of one service")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args()
    settings = OperatorSettings(service=OPERATOR)
    configure_logging("ERROR", settings.service)
    try:
        report = asyncio.run(look(settings))
    except (aiohttp.ClientError, ConsulUnreadableError, TimeoutError) as failure:
        said = str(failure) or type(failure).__name__
        print(f"error: Consul can't be asked: {said}; make status says what runs", file=sys.stderr)
        sys.exit(2)
    if options.json:
        print(json.dumps(report.json(), indent=2, default=str))
    else:
        print(layout.detail(report, options.service) if options.service else layout.overview(report))
    sys.exit(1 if any(report.troubles()) else 0)


if __name__ == "__main__":
    main()
