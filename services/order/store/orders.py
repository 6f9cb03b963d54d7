"""Orders and their events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.common import events
from services.common.database import Database, Values
from services.common.events import StoredEvent
from services.common.filters import where
from services.order.changes import Asked, Key
from services.order.domain.errors import OrderChanged, OrderNotFound
from services.order.domain.order import Order
from services.order.events import event_of
from services.order.placement import Earlier, Request
from services.order.store import rows, statements

Period = tuple[datetime | None, datetime | None]
"""From a moment to before another, each only if given."""

ALWAYS: Period = (None, None)


@dataclass(frozen=True, slots=True)
class Stuck:
    """An order that is on its way for too long; `under_way`: with one of its parts."""

    id: str
    customer_id: str
    state: str
    under_way: bool
    update_time: datetime


class OrderStore:
    """Orders and their events."""

    def __init__(self, database: Database, lease: timedelta) -> None:
        """`lease`: how long a new or moved order is left to the process that moved it."""
        self._database = database
        self._lease = lease

    @classmethod
    def reading(cls, database: Database) -> "OrderStore":
        """Make one for commands that change nothing."""
        return cls(database, timedelta(0))

    async def add(self, order: Order, request: Request) -> bool:
        """Commit order, event and idempotency key at once. False, and nothing committed, when the key was used."""
        parameters = {**rows.added(order, request), **events.parameters(event_of(order)), "lease": self._lease}
        return await self._changed(statements.ADD, parameters)

    async def save(self, order: Order, key: Key | None = None) -> None:
        """Commit the order, the event of its last change, and the key of the request for its new part.

        Raises OrderChanged unless it is the next version.
        """
        parameters = {**rows.moved(order), **events.parameters(event_of(order)), "lease": self._lease}
        statement = statements.SAVE
        if order.parts:
            statement = statements.SAVE_WITH_PARTS
            parameters |= rows.parts(order, key)
        if not await self._changed(statement, parameters):
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

    async def asked(self, order_id: str, key: str) -> Asked | None:
        """Read what a key was used for after the order was placed, if it was."""
        row = await self._database.row(
            "SELECT id::text, fingerprint FROM order_parts "
            "WHERE order_id = CAST(%(order_id)s AS uuid) AND request_id = %(key)s",
            {"order_id": order_id, "key": key},
        )
        return None if row is None else Asked(row.id, bytes(row.fingerprint))

    async def page(
        self, filters: Mapping[str, str | None], after: str | None, limit: int, period: Period = ALWAYS
    ) -> list[Order]:
        """Read orders, newest first, that pass the filters owner, customer_id and state, where given."""
        values = {**filters, **rows.period(*period), "after": after, "limit": limit}
        asked = where(statements.PAGE_OF_STATE[filters["state"]], values)
        return await self._orders(asked + statements.NEWEST, values)

    async def events(self, order_id: str, after: int, limit: int) -> list[StoredEvent]:
        """Read the order's events after a sequence number, oldest first."""
        async with self._database.autocommit() as connection:
            return await events.read(connection, order_id, after=after, limit=limit)

    async def events_by_id(self, order_id: str, after: str | None, limit: int) -> list[StoredEvent]:
        """Read the order's events after the one of an id, oldest first."""
        values = {"order_id": order_id, "after": after, "limit": limit}
        return [StoredEvent(*row) for row in await self._database.rows(statements.EVENTS_BY_ID, values)]

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
        ids = [row.id for row in await self._database.rows(statements.CLAIM, {"limit": limit, "lease": lease})]
        return await self._orders("WHERE o.id = ANY(%(ids)s) ORDER BY o.id", {"ids": ids}) if ids else []

    async def stuck(self, longer_than: timedelta, limit: int) -> list[Stuck]:
        """List orders that are on their way for longer than that, the longest first."""
        found = await self._database.rows(statements.STUCK, {"longer_than": longer_than, "limit": limit})
        return [Stuck(*row) for row in found]

    async def versions(self, order_ids: Sequence[str]) -> dict[str, int]:
        """Read how far those of the orders are that there are."""
        return {row.id: row.version for row in await self._database.rows(statements.VERSIONS, {"ids": list(order_ids)})}

    async def ids(self, after: str, limit: int) -> list[str]:
        """List the ids of all orders, oldest first, after one."""
        found = await self._database.rows(
            "SELECT id::text FROM orders WHERE id > CAST(%(after)s AS uuid) ORDER BY id LIMIT %(limit)s",
            {"after": after, "limit": limit},
        )
        return [row.id for row in found]

    async def _changed(self, statement: str, values: Values) -> bool:
        (changed,) = await self._database.row(statement, values)
        return bool(changed)

    async def _orders(self, where: str, values: Values) -> list[Order]:
        return [rows.order(row) for row in await self._database.rows(statements.ORDER + where, values)]
