"""Events of orders, numbered by key."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from ordermesh.order.v1 import order_events_pb2, order_pb2
from services.common.ids import new_id
from services.common.received import Record

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def event(
    topic: str, key: str, sequence: int, *, partition: int = 0, headers: Mapping[str, bytes] = MappingProxyType({})
) -> Record:
    """Return the record that tells of change `sequence` of order `key`. It has no offset before it is written."""
    confirmed = order_events_pb2.OrderConfirmed(order=order_pb2.Order(id=key))
    usual = {
        "ce_id": new_id().encode(),
        "ce_type": confirmed.DESCRIPTOR.full_name.encode(),
        "ce_subject": key.encode(),
        "ce_sequence": str(sequence).encode(),
        "ce_source": b"//ordermesh/order",
        "ce_time": datetime.now(UTC).isoformat().encode(),
        "ce_requestid": b"r1",
        "ce_actor": b"user:u1",
        "traceparent": TRACEPARENT.encode(),
    }
    return Record(topic, partition, -1, key.encode(), confirmed.SerializeToString(), {**usual, **headers})


def events(topic: str, keys: Sequence[str], count: int, partitions: int = 1) -> list[Record]:
    """Return so many events of each key, one of each in turn; a key stays in its partition."""
    return [
        event(topic, key, sequence, partition=number % partitions)
        for sequence in range(1, count + 1)
        for number, key in enumerate(keys)
    ]
