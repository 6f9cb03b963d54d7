"""Changing an order that is placed: once for each request, on what the caller has seen, one change after the other.

What a change does is the domain's: the caller of `Changes` brings the function that makes the next order of this one.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mesh import errors
from services.order.domain.errors import IdempotencyKeyReused, OrderBusy, OrderChanged
from services.order.domain.order import Order
from services.order.drives import Drives

Decide = Callable[[Order, str, datetime], Order]
"""Makes the order afterwards of the order now, an id for a new part of it, and the time. The same order: no change."""


@dataclass(frozen=True, slots=True)
class Key:
    """By what a repeated request is known, and what tells one with other content apart."""

    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """A part of an order that a key was used for before."""

    part_id: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Terms:
    """How a change is asked for: `etag` of the order that was seen, `key` of the request, seconds to wait."""

    within: float
    etag: str = ""
    key: Key | None = None


class Store(Protocol):
    """What changing needs of the order's own database."""

    async def save(self, order: Order, key: Key | None = None) -> None:
        """Commit the order, the event of its last change, and the key. Raises OrderChanged unless it is the next."""

    async def get(self, order_id: str) -> Order:
        """Read the order as it stands."""

    async def asked(self, order_id: str, key: str) -> Asked | None:
        """Read what a key was used for, if it was."""


class Changes:
    """The use case behind every change of a placed order."""

    def __init__(self, store: Store, drives: Drives, clock: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        """Everything from outside comes in here."""
        self._store = store
        self._drives = drives
        self._clock = clock
        self._new_id = new_id

    async def make(self, order: Order, decide: Decide, terms: Terms) -> tuple[Order, str]:
        """Make the change and have it carried out; give the order, settled or as it stands, and the part's id.

        Raises what `decide` raises, OrderChanged, IdempotencyKeyReused, and OrderBusy when another change takes longer
        than the caller can wait.
        """
        deadline = asyncio.get_running_loop().time() + terms.within
        part_id = self._new_id()
        while True:
            if terms.key is not None and (earlier := await self._earlier(order, terms.key)) is not None:
                return await self._drives.outcome(await self._store.get(order.id), _left(deadline)), earlier
            try:
                wanted = self._decided(order, part_id, decide, terms.etag)
                if wanted is order:
                    return await self._drives.outcome(order, _left(deadline)), ""
                await self._store.save(wanted, terms.key)
            except OrderBusy:
                order = await self._free(order, deadline)
            except OrderChanged:
                if terms.etag:
                    raise
                # The saga, or somebody else, moved the order meanwhile; decide anew on what it is now.
                order = await self._store.get(order.id)
            else:
                return wanted if wanted.settled else await self._drives.drive(wanted, _left(deadline)), part_id

    def _decided(self, order: Order, part_id: str, decide: Decide, etag: str) -> Order:
        stale = bool(etag) and etag != order.etag
        try:
            wanted = decide(order, part_id, self._clock())
        except errors.Error:
            if stale:
                raise OrderChanged(order.id) from None
            raise
        if stale and wanted is not order:
            raise OrderChanged(order.id)
        return wanted

    async def _free(self, order: Order, deadline: float) -> Order:
        """Wait for what is under way. Raises OrderBusy when it takes too long."""
        free = await self._drives.outcome(order, _left(deadline))
        if free.under_way is not None:
            raise OrderBusy(order.id)
        return free

    async def _earlier(self, order: Order, key: Key) -> str | None:
        asked = await self._store.asked(order.id, key.key)
        if asked is None:
            return None
        if asked.fingerprint != key.fingerprint:
            raise IdempotencyKeyReused(key.key)
        return asked.part_id


def _left(deadline: float) -> float:
    return max(deadline - asyncio.get_running_loop().time(), 0.0)
