"""Following an order as it changes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.common.money import Money
from services.order.domain import placing
from services.order.domain.order import Line, Order
from services.order.placement import Request
from services.order.watching import Watching
from tests.unit.services.order.fakes import CUSTOMER, NOW, MemoryStore


class Shelf(MemoryStore):
    """A store that counts how often it is looked at."""

    looks = 0

    async def versions(self, order_ids: list[str]) -> dict[str, int]:
        """Tell how far the orders are."""
        self.looks += 1
        return {each: self.orders[each].version for each in order_ids}

    async def placed(self, order_id: str = "o1") -> Order:
        """Keep a new order."""
        order = placing.place(order_id, CUSTOMER, (Line("A", 1, "p", "A", Money("EUR", 500)),), {}, NOW)
        await self.add(order, Request(CUSTOMER, [("A", 1)], {}, "tok_visa", "EUR", None, b""))
        return order


async def following(stream: AsyncIterator[Order]) -> "asyncio.Task[Order]":
    """Ask for the next one, and let the asking begin."""
    task: asyncio.Task[Order] = asyncio.create_task(anext(stream))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    return task


async def test_an_order_is_given_at_once_and_then_when_it_changed() -> None:
    """Several changes in between are told by the last."""
    store = Shelf()
    watching = Watching(store, timedelta(seconds=1))
    order = await store.placed()
    stream = watching.follow(order)
    assert await anext(stream) == order
    later = await following(stream)
    await watching.look()
    assert not later.done()
    reserved = placing.reserve_stock(order, "res", NOW)
    confirmed = placing.confirm(reserved, "pay", NOW)
    for each in (reserved, confirmed):
        await store.save(each)
    await watching.look()
    assert await later == confirmed


async def test_many_watchers_cost_one_look() -> None:
    """And nobody watching costs none."""
    store = Shelf()
    watching = Watching(store, timedelta(seconds=1))
    await watching.look()
    streams = [watching.follow(await store.placed(f"o{number}")) for number in range(5)]
    for stream in streams:
        await anext(stream)
    await watching.look()
    assert store.looks == 1
    for stream in streams:
        await stream.aclose()  # type: ignore[attr-defined]
    await watching.look()
    assert store.looks == 1


async def test_watchers_are_let_go_when_the_process_stops() -> None:
    """Their stream ends; they come back to whoever is there by then."""
    store = Shelf()
    watching = Watching(store, timedelta(seconds=1))
    stream = watching.follow(await store.placed())
    await anext(stream)
    later = await following(stream)
    stop = asyncio.Event()
    stop.set()
    await watching.run(stop)
    with pytest.raises(StopAsyncIteration):
        await later
