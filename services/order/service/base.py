"""What the methods of the order service have in common."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import Message

from mesh import context
from services.common.conditions import expected_etag
from services.common.idempotency import request_key
from services.order.changes import Changes, Decide, Key, Terms
from services.order.domain.errors import OrderNotFound
from services.order.domain.order import Order
from services.order.placement import Placement
from services.order.rebuild import Rebuilding
from services.order.store import NoteStore, OrderStore
from services.order.watching import Watching

_MARGIN_SECONDS = 0.5
"""Kept back of the caller's deadline, so that the answer still arrives."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the servicer leads to. `default_currency`: ISO 4217 code for orders that name none."""

    placement: Placement
    changes: Changes
    store: OrderStore
    notes: NoteStore
    rebuilding: Rebuilding
    watching: Watching
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    default_currency: str


class Servicer:
    """Base of each group of methods."""

    def __init__(self, rooms: Rooms) -> None:
        """Lead to them."""
        self.rooms = rooms

    async def visible(self, order_id: str) -> Order:
        """Read an order that the caller may see. Raises OrderNotFound."""
        order = await self.rooms.store.get(order_id)
        if not context.current().caller.can_see(order.customer_id):
            raise OrderNotFound(order_id)
        return order

    async def change(
        self, order_id: str, decide: Decide, request: Message, etag: str, request_id: str = ""
    ) -> tuple[Order, str]:
        """Have an order changed that the caller may see; see Changes.make."""
        order = await self.visible(order_id)
        call = context.current()
        etag = expected_etag(etag, call.if_match)
        terms = Terms(seconds_left(call), etag, _key_of(request, request_id, call.idempotency_key))
        return await self.rooms.changes.make(order, decide, terms)


def _key_of(request: Message, request_id: str, header: str | None) -> Key | None:
    """Give the key of a request that makes something new. One without the field is the same again by what it names."""
    if "request_id" not in request.DESCRIPTOR.fields_by_name:
        return None
    key = request_key(request_id, header)
    return None if key is None else Key(key, fingerprint(request))


def fingerprint(request: Message) -> bytes:
    """Return 32 bytes that stand for the kind and content of a request, whatever its request id."""
    content = type(request)()
    content.CopyFrom(request)
    content.ClearField("request_id")
    kind = request.DESCRIPTOR.full_name.encode()
    return hashlib.sha256(kind + b" " + content.SerializeToString(deterministic=True)).digest()


def seconds_left(call: context.Call) -> float:
    """Return how long a method may take."""
    if call.deadline is None:
        return 15.0
    return max(call.deadline - time.monotonic() - _MARGIN_SECONDS, 0.0)
