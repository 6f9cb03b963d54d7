"""Orders and requests to try things with."""

import hashlib
from datetime import UTC, datetime

from services.common.ids import new_id
from services.common.money import Money
from services.order.domain import placing as orders
from services.order.domain.order import Line, Order
from services.order.placement import Request

NOW = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
CUSTOMER = "01890000-0000-7000-8000-00000000c001"
STRANGER = "01890000-0000-7000-8000-00000000c002"
ADDRESS = {"region_code": "DE", "address_lines": ["Am Kanal 1", "\N{LATIN CAPITAL LETTER U WITH DIAERESIS}berall"]}


def placed(customer_id: str = CUSTOMER) -> Order:
    """Make a new order of two lines."""
    lines = (
        Line("B", 1, new_id(), "Second in the alphabet, first in the order", Money("EUR", 999)),
        Line("A", 3, new_id(), "'quoted' \\ {braced}", Money("EUR", 1)),
    )
    return orders.place(new_id(), customer_id, lines, ADDRESS, NOW)


def request(key: str | None = None, customer_id: str = CUSTOMER, content: bytes = b"content") -> Request:
    """Make the request of such an order."""
    return Request(
        customer_id=customer_id,
        wanted=[("B", 1), ("A", 3)],
        shipping_address=ADDRESS,
        payment_token="tok_visa",
        currency_code="EUR",
        idempotency_key=key,
        fingerprint=hashlib.sha256(content).digest(),
    )
