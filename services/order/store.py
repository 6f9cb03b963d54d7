"""All SQL of the order service. A change of an order and its event are one statement, and so one commit."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from services.common import events
from services.common.database import Database, Row, Values
from services.common.money import Money
from services.order.domain.errors import OrderChanged, OrderNotFound
from services.order.domain.order import Line, Order, Rejection, State
from services.order.events import event_of
from services.order.placement import Earlier, Request

_ADD = f"""
WITH keyed AS (
    INSERT INTO idempotency_keys (customer_id, key, fingerprint, order_id)
    SELECT CAST(%(customer_id)s AS uuid), %(key)s, %(fingerprint)s, CAST(%(id)s AS uuid)
    WHERE CAST(%(key)s AS text) IS NOT NULL
    ON CONFLICT DO NOTHING RETURNING order_id
), added AS (
    INSERT INTO orders (id, customer_id, state, currency_code, total, shipping_address, version, create_time,
                        update_time, payment_token, lease_until)
    SELECT CAST(%(id)s AS uuid), CAST(%(customer_id)s AS uuid), %(state)s, %(currency_code)s, %(total)s,
           CAST(%(shipping_address)s AS jsonb), %(version)s, %(create_time)s, %(update_time)s, %(payment_token)s,
           now() + %(lease)s
    WHERE CAST(%(key)s AS text) IS NULL OR EXISTS (SELECT FROM keyed)
    RETURNING id
), lines AS (
    INSERT INTO order_lines (order_id, position, sku, quantity, product_id, name, unit_price)
    SELECT added.id, line.position, line.sku, line.quantity, line.product_id, line.name, line.unit_price
    FROM added, unnest(CAST(%(skus)s AS text[]), CAST(%(quantities)s AS integer[]), CAST(%(product_ids)s AS uuid[]),
                       CAST(%(names)s AS text[]), CAST(%(unit_prices)s AS bigint[]))
        WITH ORDINALITY AS line (sku, quantity, product_id, name, unit_price, position)
), event AS (
    {events.insert_from("added")}
)
SELECT count(*) FROM added
"""  # noqa: S608 - constants only
_SAVE = f"""
WITH saved AS (
    UPDATE orders SET state = %(state)s, payment_id = CAST(%(payment_id)s AS uuid),
        reservation_id = CAST(%(reservation_id)s AS uuid), rejection_reason = %(rejection_reason)s,
        rejection_message = %(rejection_message)s, cancel_reason = %(cancel_reason)s, version = %(version)s,
        update_time = %(update_time)s,
        payment_token = CASE WHEN %(state)s = 'PENDING' THEN payment_token END,
        lease_until = CASE WHEN %(state)s IN ('PENDING', 'CANCELLING') THEN now() + %(lease)s END
    WHERE id = CAST(%(id)s AS uuid) AND version = %(version)s - 1
    RETURNING id
), event AS (
    {events.insert_from("saved")}
)
SELECT count(*) FROM saved
"""  # noqa: S608 - constants only
_ORDER = """
SELECT o.id::text, o.customer_id::text, o.state, o.currency_code, o.total, o.shipping_address, o.payment_id::text,
       o.reservation_id::text, o.rejection_reason, o.rejection_message, o.cancel_reason, o.version, o.create_time,
       o.update_time, l.lines
FROM orders o CROSS JOIN LATERAL (
    SELECT json_agg(json_build_array(sku, quantity, product_id, name, unit_price) ORDER BY position) AS lines
    FROM order_lines WHERE order_id = o.id
) l
"""
_PAGE = """
WHERE (CAST(%(owner)s AS uuid) IS NULL OR o.customer_id = CAST(%(owner)s AS uuid))
  AND (CAST(%(customer_id)s AS uuid) IS NULL OR o.customer_id = CAST(%(customer_id)s AS uuid))
  AND (CAST(%(state)s AS text) IS NULL OR o.state = %(state)s)
  AND (CAST(%(after)s AS uuid) IS NULL OR o.id < CAST(%(after)s AS uuid))
ORDER BY o.id DESC LIMIT %(limit)s
"""
# Materialized: a subquery that the planner runs again for each row would lock other rows each time.
_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT id FROM orders WHERE lease_until < now() ORDER BY lease_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE orders SET lease_until = now() + %(lease)s FROM due WHERE orders.id = due.id RETURNING orders.id
"""


class OrderStore:
    """Orders and their events."""

    def __init__(self, database: Database, lease: timedelta) -> None:
        """`lease`: how long a new or moved order is left to the process that moved it."""
        self._database = database
        self._lease = lease

    async def add(self, order: Order, request: Request) -> bool:
        """Commit order, event and idempotency key at once. False, and nothing committed, when the key was used."""
        parameters = {
            **_columns(order),
            **events.parameters(event_of(order)),
            "key": request.idempotency_key,
            "fingerprint": request.fingerprint,
            "customer_id": order.customer_id,
            "currency_code": order.total.currency_code,
            "total": order.total.minor_units,
            "shipping_address": json.dumps(order.shipping_address),
            "create_time": order.create_time,
            "payment_token": request.payment_token,
            "lease": self._lease,
            "skus": [line.sku for line in order.lines],
            "quantities": [line.quantity for line in order.lines],
            "product_ids": [line.product_id for line in order.lines],
            "names": [line.name for line in order.lines],
            "unit_prices": [line.unit_price.minor_units for line in order.lines],
        }
        return await self._changed(_ADD, parameters)

    async def save(self, order: Order) -> None:
        """Commit the order and the event of its last transition. Raises OrderChanged unless it is the next version."""
        parameters = {**_columns(order), **events.parameters(event_of(order)), "lease": self._lease}
        if not await self._changed(_SAVE, parameters):
            raise OrderChanged(order.id)

    async def get(self, order_id: str) -> Order:
        """Read an order as it stands. Raises OrderNotFound."""
        found = await self._orders("WHERE o.id = CAST(%(id)s AS uuid)", {"id": order_id})
        if not found:
            raise OrderNotFound(order_id)
        return found[0]

    async def batch(self, order_ids: Sequence[str]) -> list[Order]:
        """Read those of the orders that there are."""
        return await self._orders("WHERE o.id = ANY(CAST(%(ids)s AS uuid[]))", {"ids": list(order_ids)})

    async def earlier(self, customer_id: str, key: str) -> Earlier | None:
        """Read what an idempotency key was used for, if it was."""
        row = await self._database.row(
            "SELECT order_id::text, fingerprint FROM idempotency_keys "
            "WHERE customer_id = CAST(%(customer_id)s AS uuid) AND key = %(key)s",
            {"customer_id": customer_id, "key": key},
        )
        return None if row is None else Earlier(await self.get(row.order_id), bytes(row.fingerprint))

    async def page(self, filters: Mapping[str, str | None], after: str | None, limit: int) -> list[Order]:
        """Read orders, newest first, that pass the filters owner, customer_id and state, where given."""
        return await self._orders(_PAGE, {**filters, "after": after, "limit": limit})

    async def events(self, order_id: str, after: int, limit: int) -> list[events.StoredEvent]:
        """Read the order's events after a sequence number, oldest first."""
        async with self._database.autocommit() as connection:
            return await events.read(connection, order_id, after=after, limit=limit)

    async def payment_token(self, order_id: str) -> str:
        """Read the token of a PENDING order's means of payment. Raises OrderChanged when it is no longer PENDING."""
        row = await self._database.row(
            "SELECT payment_token FROM orders WHERE id = CAST(%(id)s AS uuid)", {"id": order_id}
        )
        if row is None or row.payment_token is None:
            raise OrderChanged(order_id)
        return str(row.payment_token)

    async def give_up_lease(self, order_id: str) -> None:
        """Let the recovery worker take the order at once."""
        await self._database.run(
            "UPDATE orders SET lease_until = now() WHERE id = CAST(%(id)s AS uuid) AND lease_until IS NOT NULL",
            {"id": order_id},
        )

    async def claim_unsettled(self, limit: int, lease: timedelta) -> list[Order]:
        """Take the lease of unsettled orders whose lease ran out; no two workers get the same one."""
        ids = [row.id for row in await self._database.rows(_CLAIM, {"limit": limit, "lease": lease})]
        return await self._orders("WHERE o.id = ANY(%(ids)s) ORDER BY o.id", {"ids": ids}) if ids else []

    async def _changed(self, statement: str, values: Values) -> bool:
        (changed,) = await self._database.row(statement, values)
        return bool(changed)

    async def _orders(self, where: str, values: Values) -> list[Order]:
        return [_order(row) for row in await self._database.rows(_ORDER + where, values)]


def _columns(order: Order) -> dict[str, Any]:
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
    }


def _order(row: Row) -> Order:
    return Order(
        id=row.id,
        customer_id=row.customer_id,
        state=State(row.state),
        lines=tuple(
            Line(sku, quantity, product_id, name, Money(row.currency_code, unit_price))
            for sku, quantity, product_id, name, unit_price in row.lines
        ),
        total=Money(row.currency_code, row.total),
        shipping_address=row.shipping_address,
        version=row.version,
        create_time=row.create_time,
        update_time=row.update_time,
        payment_id=row.payment_id,
        reservation_id=row.reservation_id,
        rejection=Rejection(row.rejection_reason, row.rejection_message) if row.rejection_reason else None,
        cancel_reason=row.cancel_reason,
    )
