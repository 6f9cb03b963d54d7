"""Between orders and what the statements take and give."""

import json
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from services.common.database import Row, Values
from services.common.money import Money
from services.order.changes import Key
from services.order.domain.order import Charges, Line, Order, State
from services.order.domain.parts import LineCancellation, Part, Refund, Rejection, Return, Shipment
from services.order.placement import Request

_SHIPMENT = TypeAdapter(Shipment)
_CANCELLATION = TypeAdapter(LineCancellation)
_RETURN = TypeAdapter(Return)
_REFUND = TypeAdapter(Refund)

_CLOCKS_APART = timedelta(minutes=1)
"""How far the time in an order's id may be from the time it was placed, which another clock may have told."""


def added(order: Order, request: Request) -> Values:
    """Give the values of statements.ADD, without those of the event."""
    return {
        "id": order.id,
        "customer_id": order.customer_id,
        "state": order.state,
        "currency_code": order.total.currency_code,
        "total": order.total.minor_units,
        "shipping": order.charges.shipping.minor_units,
        "shipping_tax": order.charges.shipping_tax.minor_units,
        "tax_included": order.charges.tax_included,
        "shipping_address": json.dumps(order.shipping_address),
        "version": order.version,
        "create_time": order.create_time,
        "update_time": order.update_time,
        "payment_token": request.payment_token,
        "key": request.idempotency_key,
        "fingerprint": request.fingerprint,
        "skus": [line.sku for line in order.lines],
        "quantities": [line.quantity for line in order.lines],
        "product_ids": [line.product_id for line in order.lines],
        "names": [line.name for line in order.lines],
        "unit_prices": [line.unit_price.minor_units for line in order.lines],
        "taxes": [None if line.tax is None else line.tax.minor_units for line in order.lines],
    }


def moved(order: Order) -> dict[str, Any]:
    """Give the values of statements.SAVE, without those of the event."""
    return {
        "id": order.id,
        "state": order.state,
        "payment_id": order.payment_id,
        "reservation_id": order.reservation_id,
        "rejection_reason": order.rejection.reason if order.rejection else None,
        "rejection_message": order.rejection.message if order.rejection else None,
        "cancel_reason": order.cancel_reason,
        "version": order.version,
        "update_time": order.update_time,
        "under_way": order.under_way is not None,
        "unsettled": not order.settled,
    }


def parts(order: Order, key: Key | None) -> dict[str, Any]:
    """Give the values that statements.SAVE_WITH_PARTS has beyond those of SAVE."""
    return {
        "cancelled": [line.cancelled for line in order.lines],
        "shipped": [line.shipped for line in order.lines],
        "returned": [line.returned for line in order.lines],
        "parts": json.dumps(list(_part_rows(order))),
        "part_id": order.change.part_id or None if order.change else None,
        "request_id": key.key if key else None,
        "fingerprint": key.fingerprint if key else None,
    }


def period(begin: datetime | None, end: datetime | None) -> Values:
    """Give the values of a period; ids hold the time too, and there is an index on them."""
    return {
        "from": begin,
        "from_id": begin and _lowest_id(begin - _CLOCKS_APART),
        "before": end,
        "before_id": end and _lowest_id(end + _CLOCKS_APART),
    }


def order(row: Row) -> Order:
    """Read an order from a row of statements.ORDER."""
    currency = row.currency_code
    found = row.parts or ()
    return Order(
        id=row.id,
        customer_id=row.customer_id,
        state=State(row.state),
        lines=tuple(_line(currency, *line) for line in row.lines),
        charges=Charges(Money(currency, row.shipping), Money(currency, row.shipping_tax), row.tax_included),
        total=Money(currency, row.total),
        shipping_address=row.shipping_address,
        version=row.version,
        create_time=row.create_time,
        update_time=row.update_time,
        payment_id=row.payment_id,
        reservation_id=row.reservation_id,
        rejection=Rejection(row.rejection_reason, row.rejection_message) if row.rejection_reason else None,
        cancel_reason=row.cancel_reason,
        shipments=tuple(_SHIPMENT.validate_python(part) for kind, part in found if kind == "SHIPMENT"),
        line_cancellations=tuple(
            _CANCELLATION.validate_python(part) for kind, part in found if kind == "LINE_CANCELLATION"
        ),
        returns=tuple(_RETURN.validate_python(part) for kind, part in found if kind == "RETURN"),
        refunds=tuple(_REFUND.validate_python(part) for kind, part in found if kind == "REFUND"),
    )


def _line(  # noqa: PLR0913, PLR0917 - the columns of a line
    currency: str,
    sku: str,
    quantity: int,
    product_id: str,
    name: str,
    unit_price: int,
    tax: int | None,
    *counters: int,
) -> Line:
    tax_amount = None if tax is None else Money(currency, tax)
    return Line(sku, quantity, product_id, name, Money(currency, unit_price), tax_amount, *counters)


def _part_rows(order: Order) -> Iterator[dict[str, Any]]:
    kinds: tuple[tuple[str, TypeAdapter[Any], Sequence[Part]], ...] = (
        ("SHIPMENT", _SHIPMENT, order.shipments),
        ("LINE_CANCELLATION", _CANCELLATION, order.line_cancellations),
        ("RETURN", _RETURN, order.returns),
        ("REFUND", _REFUND, order.refunds),
    )
    for kind, adapter, several in kinds:
        for position, part in enumerate(several, start=1):
            yield _part_row(kind, adapter, position, part)


def _part_row(kind: str, adapter: TypeAdapter[Any], position: int, part: Part) -> dict[str, Any]:
    return {
        "id": part.id,
        "kind": kind,
        "position": position,
        "state": part.state,
        "amount": None if isinstance(part, Return) else part.amount.minor_units,
        "details": adapter.dump_python(part, mode="json"),
    }


def _lowest_id(moment: datetime) -> str:
    """Give the lowest UUIDv7 of a millisecond (RFC 9562)."""
    milliseconds = max(int(moment.timestamp() * 1000), 0)
    return str(uuid.UUID(int=milliseconds << 80))
