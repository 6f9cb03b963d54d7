"""Decoding events for people."""

import datetime as dt
import json
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import Message

from deploy.native.event_log import Contracts, Event, decode
from deploy.native.events import as_json, as_text, headline
from ordermesh.order.v1 import order_events_pb2, order_pb2
from tests.unit.deploy.provision_examples import CHECKOUT

TYPE = "ordermesh.order.v1.OrderConfirmed"
CONFIRMED = order_events_pb2.OrderConfirmed(order=order_pb2.Order(id="42", state=order_pb2.Order.CONFIRMED))
HEADERS: dict[str, bytes | None] = {
    "ce_type": TYPE.encode(),
    "ce_time": b"2026-07-30T10:00:00.25Z",
    "ce_requestid": b"request-1",
    "ce_actor": b"user:7",
}


class Received:
    """A message as the client library hands it out."""

    def __init__(self, value: bytes | None, headers: dict[str, bytes | None]) -> None:
        self._value, self._headers = value, list(headers.items())

    def topic(self) -> str:
        """Where it was."""
        return "order-events"

    def partition(self) -> int:
        """Where in the topic."""
        return 3

    def offset(self) -> int:
        """Where in the partition."""
        return 0

    def key(self) -> bytes:
        """The aggregate's id."""
        return b"42"

    def value(self) -> bytes | None:
        """The payload."""
        return self._value

    def headers(self) -> list[tuple[str, Any]]:
        """What Debezium placed there."""
        return self._headers


@pytest.fixture(scope="module")
def contracts() -> Contracts:
    """All contracts of the checkout."""
    return Contracts(CHECKOUT / "build" / "descriptors.binpb")


def event(contracts: Contracts, value: bytes | None, **changed: bytes | None) -> Event:
    """Decode a message with the usual headers."""
    return decode(received(value, HEADERS | changed), contracts)


def received(value: bytes | None, headers: dict[str, bytes | None]) -> Message:
    """Pretend that it came from the broker."""
    return cast("Message", Received(value, headers))


def test_an_event_is_decoded_by_the_type_it_names(contracts: Contracts) -> None:
    """The body is proto3 JSON."""
    decoded = event(contracts, CONFIRMED.SerializeToString())
    assert decoded.body == {"order": {"id": "42", "state": "CONFIRMED"}}
    assert (decoded.name, decoded.key, decoded.offset) == ("OrderConfirmed", "42", 0)


def test_an_event_without_fields_is_a_message_not_a_failure(contracts: Contracts) -> None:
    """Protobuf writes a message of defaults as no bytes at all."""
    assert event(contracts, b"").body == {}
    assert event(contracts, None).body == {}


@pytest.mark.parametrize(("type_name", "value"), [(b"no.such.Type", b""), (TYPE.encode(), b"\xff\xff")])
def test_what_no_contract_knows_is_shown_by_its_size(contracts: Contracts, type_name: bytes, value: bytes) -> None:
    """One strange event must not end the stream of all others."""
    strange = event(contracts, value, ce_type=type_name)
    assert strange.body is None
    assert f"({len(value)} bytes of no known contract)" in as_text(strange)


def test_headers_without_a_value_are_left_out(contracts: Contracts) -> None:
    """Debezium writes a header for each column, also for those that are NULL."""
    assert "traceparent" not in event(contracts, b"", traceparent=None).headers


def test_the_time_is_that_of_the_service(contracts: Contracts) -> None:
    """Not when it was read."""
    assert event(contracts, b"").occurred_at == dt.datetime(2026, 7, 30, 10, 0, 0, 250_000, tzinfo=dt.UTC)


def test_the_headline_has_key_type_time_and_request(contracts: Contracts) -> None:
    """What somebody looks for who follows one request."""
    line = headline(event(contracts, b""))
    for part in ("OrderConfirmed", "42", ":00:00.250", "user:7", "request request-1", "order-events/3@0"):
        assert part in line


def test_json_output_is_json_with_every_header(contracts: Contracts) -> None:
    """For jq."""
    printed = json.loads(as_json(event(contracts, CONFIRMED.SerializeToString())))
    assert printed["headers"]["ce_actor"] == "user:7"
    assert printed["data"]["order"]["state"] == "CONFIRMED"


def test_missing_descriptors_are_told_as_such(tmp_path: Path) -> None:
    """The command says to run make proto."""
    with pytest.raises(FileNotFoundError):
        Contracts(tmp_path / "none")
