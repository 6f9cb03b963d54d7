"""The age of an event is from when it was recorded to when it was received."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from bench import receiver
from bench.receiver import Ages


class Event:
    """A message of Kafka's, as Debezium writes it."""

    def __init__(self, time_header: str) -> None:
        self._time = time_header

    def error(self) -> None:
        """It is none."""

    def headers(self) -> list[tuple[str, bytes]]:
        """Other headers come before and after."""
        return [("ce_id", b"1"), ("ce_time", self._time.encode()), ("ce_type", b"x")]


class Topic:
    """A topic of one partition, whose messages arrive as `messages` has them."""

    def __init__(self, messages: Iterator[Event | None]) -> None:
        self.assigned: list[tuple[int, int]] = []
        self._messages = messages
        self.topics = {"order-events": self}
        self.partitions = {0: None}

    def list_topics(self, _: str, timeout: float) -> "Topic":  # noqa: ARG002 - Kafka's own
        """Name it."""
        return self

    def get_watermark_offsets(self, _: object, timeout: float) -> tuple[int, int]:  # noqa: ARG002 - as above
        """It holds 42 messages."""
        return (0, 42)

    def assign(self, places: list[object]) -> None:
        """Remember where reading begins."""
        self.assigned = [(getattr(place, "partition", -1), getattr(place, "offset", -1)) for place in places]

    def poll(self, _: float) -> Event | None:
        """Give the next message, or nothing."""
        return next(self._messages, None)


def gathered(messages: Iterator[Event | None], ended: threading.Event) -> Ages:
    """Receive from a topic."""
    ages = Ages(cast("Any", Topic(messages)), "order-events")
    ages.gather(ended)
    return ages


def test_reading_begins_at_the_end() -> None:
    """Old events would be old."""
    topic = Topic(iter(()))
    Ages(cast("Any", topic), "order-events")
    assert topic.assigned == [(0, 42)]


def test_an_event_is_as_old_as_its_time_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ce_time` is the moment just before the commit."""
    monkeypatch.setattr(receiver, "QUIET_S", 0.05)
    ended = threading.Event()
    ended.set()
    recorded = datetime.fromtimestamp(time.time() - 3, UTC).isoformat().replace("+00:00", "Z")
    ages = gathered(iter([Event(recorded)]), ended)
    assert ages.seconds == [pytest.approx(3, abs=1)]


def test_what_comes_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slowest events matter most."""
    monkeypatch.setattr(receiver, "QUIET_S", 0.2)
    ended = threading.Event()
    now = datetime.now(UTC).isoformat()

    def late() -> Iterator[Event | None]:
        yield Event(now)
        ended.set()
        time.sleep(0.1)
        yield None
        yield Event(now)

    assert len(gathered(late(), ended).seconds) == 2
