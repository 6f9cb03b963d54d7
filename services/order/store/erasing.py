"""Takes who a customer is, and where they live, out of their orders, notes, and the events of both.

The service itself can't: it may add events, not change them. This connects as the role that owns the schema, for an
operator's command. It may be repeated. What Kafka has of the events goes with its retention.
"""

from typing import NamedTuple

import psycopg

from services.order.events.redacting import ERASED, redacted

Connection = psycopg.Connection[tuple[object, ...]]

_OPEN = """
SELECT id::text FROM orders
WHERE customer_id = CAST(%(customer_id)s AS uuid)
  AND state IN ('PENDING', 'CONFIRMED', 'PARTIALLY_SHIPPED', 'CANCELLING')
ORDER BY id
"""
# The region stays: taxes go by it.
_ORDERS = """
UPDATE orders SET shipping_address =
    jsonb_strip_nulls(jsonb_build_object('region_code', shipping_address -> 'region_code'))
WHERE customer_id = CAST(%(customer_id)s AS uuid)
RETURNING id::text
"""
_NOTES = "UPDATE order_notes SET text = %(erased)s WHERE order_id = ANY(CAST(%(ids)s AS uuid[])) RETURNING id::text"
_EVENTS = "SELECT id, type, payload FROM events WHERE aggregate_id = ANY(%(ids)s) ORDER BY id"
_REDACT = "UPDATE events SET payload = %(payload)s WHERE id = %(id)s"


class Erased(NamedTuple):
    """How much was gone through."""

    orders: int
    notes: int
    events: int


def open_orders(url: str, customer_id: str) -> list[str]:
    """List the orders that still need to know where they go."""
    with _connected(url) as connection:
        return [str(id_) for (id_,) in connection.execute(_OPEN, {"customer_id": customer_id})]


def erase(url: str, customer_id: str) -> Erased:
    """Erase all of a customer's in one commit."""
    with _connected(url) as connection:
        orders = [str(id_) for (id_,) in connection.execute(_ORDERS, {"customer_id": customer_id})]
        notes = [str(id_) for (id_,) in connection.execute(_NOTES, {"ids": orders, "erased": ERASED})]
        events = connection.execute(_EVENTS, {"ids": orders + notes}).fetchall()
        for id_, type_, payload in events:
            connection.execute(_REDACT, {"id": id_, "payload": redacted(str(type_), _bytes(payload))})
    return Erased(len(orders), len(notes), len(events))


def _connected(url: str) -> Connection:
    return psycopg.connect(url.replace("postgresql+psycopg:", "postgresql:", 1))


def _bytes(payload: object) -> bytes:
    if not isinstance(payload, bytes):
        raise TypeError(f"a payload is {type(payload).__name__}")
    return payload
