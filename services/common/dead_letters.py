"""Looks at the events that a service could not handle, and has them handled again.

    python -m services.common.dead_letters list [topic]         what is parked, first of each key first
    python -m services.common.dead_letters show <topic> <id>    one event, decoded, and why it is parked
    python -m services.common.dead_letters replay <topic> [id]  have the failed ones handled again
    python -m services.common.dead_letters discard <topic> <id> give one up for good

ORDERMESH_ENV_FILE names the settings of the service that consumes. A replay writes nothing to any topic: the running
service takes the event from `<topic>.dlq` itself, then those that waited behind it, in their order.
"""

# ruff: noqa: T201 - a command that speaks to the terminal

import argparse
import asyncio
import os
import sys
from typing import ClassVar

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError
from pydantic_settings import SettingsConfigDict

from mesh import errors
from mesh.contract import DESCRIPTORS
from services.common.database import Database
from services.common.dead_letter_topic import SUFFIX, DeadLetterTopic, LostError
from services.common.parked import ParkedEvent, ParkedEvents, State
from services.common.received import Record, UndecodableError, event_in
from services.common.settings import ServiceSettings

_ERROR_WIDTH = 70


class AnyServiceSettings(ServiceSettings):
    """What this needs of a service's settings, whichever service it is: its further ones are not ours to judge."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(extra="ignore")


class Desk:
    """The commands, each of which prints what it found or did."""

    def __init__(self, parked: ParkedEvents, letters: DeadLetterTopic) -> None:
        """Both of the same consumer group."""
        self._parked = parked
        self._letters = letters

    async def list(self, topic: str | None, _: int | None) -> None:
        """Print a line for each parked event."""
        events = await self._parked.list(topic)
        for event in events:
            print(_line(event))
        failed = sum(event.state is State.FAILED for event in events)
        print(f"{len(events)} parked: {failed} failed, {len(events) - failed} waiting for their turn")

    async def show(self, topic: str, event_id: int | None) -> None:
        """Print one event in full."""
        event = await self._one(topic, event_id)
        print(_line(event))
        print(f"  {event.topic} {event.partition}:{event.offset}")
        print(f"  {event.topic}{SUFFIX} {event.dead_letter.partition}:{event.dead_letter.offset}")
        print(f"  {event.error or 'nothing is wrong with it'}")
        record = await self._letters.fetch(event)
        for name, value in record.headers.items():
            print(f"  {name}: {value.decode(errors='backslashreplace')}")
        print(_payload(record))

    async def replay(self, topic: str, event_id: int | None) -> None:
        """Let failed events have their turn again."""
        count = await self._parked.replay(topic, event_id)
        print(f"{count} events of {topic} will be handled again; `list {topic}` shows what is left")

    async def discard(self, topic: str, event_id: int | None) -> None:
        """Give one event up."""
        event = await self._one(topic, event_id)
        await self._parked.discard(event, await self._identity(event))
        print(f"discarded: {_line(event)}")

    async def _identity(self, event: ParkedEvent) -> str | None:
        try:
            return event_in(await self._letters.fetch(event)).id
        except (LostError, UndecodableError):
            return None

    async def _one(self, topic: str, event_id: int | None) -> ParkedEvent:
        for event in await self._parked.list(topic):
            if event.id == event_id:
                return event
        raise errors.NotFound(f"no event {event_id} of {topic} is parked; `list {topic}` shows those that are")


def main() -> int:
    """Run one command. Returns the exit code."""
    arguments = _arguments()
    service = arguments.service or os.environ.get("ORDERMESH_SERVICE") or "notification"
    try:
        asyncio.run(_run(service, arguments))
    except (errors.Error, LostError, FileNotFoundError) as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


async def _run(service: str, arguments: argparse.Namespace) -> None:
    settings = AnyServiceSettings(service=service)
    async with Database.open(settings) as database:
        desk = Desk(ParkedEvents(database, service), DeadLetterTopic(settings, service))
        # The parser lets through no command that Desk doesn't have.
        await getattr(desk, arguments.command)(arguments.topic, arguments.id)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.common.dead_letters",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--service", help="the consumer group")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, needs_topic, takes_id in (
        ("list", False, None),
        ("show", True, True),
        ("replay", True, False),
        ("discard", True, True),
    ):
        command = commands.add_parser(name)
        command.add_argument("topic", nargs=None if needs_topic else "?")
        if takes_id is not None:
            command.add_argument("id", type=int, nargs=None if takes_id else "?")
        else:
            command.set_defaults(id=None)
    return parser.parse_args()


def _line(event: ParkedEvent) -> str:
    key = event.key.decode(errors="backslashreplace")
    error = event.error if len(event.error) <= _ERROR_WIDTH else f"{event.error[:_ERROR_WIDTH]}…"
    parked = event.parked_at.isoformat(sep=" ", timespec="seconds")
    return f"{event.id:6} {event.state:7} {event.topic} key={key} since {parked} {event.reason} {error}".rstrip()


def _payload(record: Record) -> str:
    try:
        event = event_in(record)
        pool = descriptor_pool.DescriptorPool()
        for file in FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file:
            pool.Add(file)
        kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(event.type))
        message = kind.FromString(event.payload)
        return f"{event.type} {json_format.MessageToJson(message)}"
    except (UndecodableError, DecodeError, KeyError) as fault:
        return f"{fault}\n{record.value.hex(' ')}"


if __name__ == "__main__":
    sys.exit(main())
