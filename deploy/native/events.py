"""`make events t=order-events [n=10] [json=1]`: the last events of a topic, then each new one as it comes."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from confluent_kafka import KafkaException

from deploy.native import event_log
from deploy.native.errors import StackError
from deploy.native.event_log import Contracts, Event
from deploy.native.provision.kafka_clients import as_operator
from deploy.native.runtime import Runtime

CHECKOUT = Path(__file__).resolve().parents[2]
DESCRIPTORS = Path("build/descriptors.binpb")
DEFAULT_LAST = 10


class EventsUnavailable(StackError):
    """The events cannot be shown; the message says what is missing."""


def command(argv: Sequence[str]) -> None:
    """Print the events of one topic until interrupted; `--no-follow` stops after those that are there."""
    options = _parser().parse_args(argv)
    runtime = Runtime.load(CHECKOUT, os.environ)
    describe = as_json if options.json else as_text
    try:
        for event in events(runtime, options.topic, last=options.last, follow=options.follow):
            print(describe(event), flush=True)
    except (KeyboardInterrupt, BrokenPipeError):
        # Whoever reads us has seen enough; the interpreter must not try to flush to them again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def events(runtime: Runtime, topic: str, *, last: int, follow: bool) -> Iterator[Event]:
    """Yield the `last` events of a topic in the order they were recorded, then new ones as they come.

    Raises EventsUnavailable without contracts, a broker or the topic.
    """
    contracts, client = contracts_of(runtime), as_operator(runtime)
    try:
        begin, end = event_log.tail(client, topic, last)
        yield from event_log.read(client, begin, end, contracts)[-last:] if last else ()
        if follow:
            yield from event_log.follow(client, end, contracts)
    except event_log.UnknownTopic as error:
        raise EventsUnavailable(f"there is no topic {topic}; there are {', '.join(error.known)}") from error
    except KafkaException as error:
        address = client["bootstrap.servers"]
        raise EventsUnavailable(
            f"Kafka does not answer at {address} ({error}); see make status, or start it with make up"
        ) from error


def contracts_of(runtime: Runtime) -> Contracts:
    """Read the contracts that events are decoded by."""
    try:
        return Contracts(runtime.checkout / DESCRIPTORS)
    except FileNotFoundError as error:
        raise EventsUnavailable(f"{error.filename} is missing; make proto writes it") from error


def headline(event: Event) -> str:
    """Say in one line what happened, to what, when and because of which request."""
    caused = [event.headers.get("ce_actor", ""), f"request {event.headers.get('ce_requestid', '-')}"]
    return "  ".join(filter(None, (clock(event), event.name.ljust(26), event.key, *caused, place_of(event))))


def clock(event: Event) -> str:
    """Tell when it was recorded, in this machine's time and to the millisecond."""
    return event.occurred_at.astimezone().strftime("%H:%M:%S.%f")[:-3]


def place_of(event: Event) -> str:
    """Tell where it is on Kafka: topic, partition and offset."""
    return f"{event.topic}/{event.partition}@{event.offset}"


def as_text(event: Event) -> str:
    """Print the headline, and what the event says on a line of its own."""
    body = (
        f"({event.size} bytes of no known contract)"
        if event.body is None
        else json.dumps(event.body, ensure_ascii=False)
    )
    return f"{headline(event)}\n    {body}"


def as_json(event: Event) -> str:
    """Print everything as indented JSON, one object after the other, for jq."""
    whole = {
        "type": event.headers.get("ce_type", ""),
        "key": event.key,
        "time": event.occurred_at.isoformat(),
        "requestId": event.headers.get("ce_requestid", ""),
        "topic": event.topic,
        "partition": event.partition,
        "offset": event.offset,
        "headers": dict(event.headers),
        "data": event.body,
    }
    return json.dumps(whole, ensure_ascii=False, indent=2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make events", description=__doc__)
    parser.add_argument("topic", nargs="?", default="order-events")
    parser.add_argument("--last", type=int, default=DEFAULT_LAST, help="how many to begin with")
    parser.add_argument("--json", action="store_true", help="headers and all, as JSON")
    parser.add_argument("--no-follow", dest="follow", action="store_false", help="do not wait for more")
    return parser
