"""Stock that callers follow."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import timedelta

import pytest_asyncio

from mesh import errors
from services.inventory.domain.stock import Level
from services.inventory.watching import Watch

SOON = timedelta(milliseconds=1)


class Store:
    """Levels that a test changes; `asked` are the SKUs of each reading."""

    def __init__(self) -> None:
        """Begin with three A."""
        self.on_hand = {"A": 3}
        self.asked: list[set[str]] = []
        self.failing = False

    async def levels(self, skus: Sequence[str]) -> list[Level]:
        """Read."""
        self.asked.append(set(skus))
        if self.failing:
            raise errors.Unavailable("away")
        return [Level(sku, "w", "w", 0, self.on_hand[sku], 0) for sku in skus if sku in self.on_hand]


@pytest_asyncio.fixture
async def store() -> Store:
    """Make one."""
    return Store()


@pytest_asyncio.fixture
async def watch(store: Store) -> AsyncIterator[Watch]:
    """Run one."""
    watch, stop = Watch(store, SOON), asyncio.Event()
    running = asyncio.create_task(watch.run(stop))
    yield watch
    stop.set()
    await running


async def test_stock_is_told_at_once_and_when_it_changed(watch: Watch, store: Store) -> None:
    """A SKU that never arrived too."""
    async with aclosing(watch.follow(["A", "B"], None)) as told:
        assert [await anext(told) for _ in range(2)] == [("A", [Level("A", "w", "w", 0, 3, 0)]), ("B", [])]
        store.on_hand["B"] = 1
        assert await anext(told) == ("B", [Level("B", "w", "w", 0, 1, 0)])
        store.on_hand["A"] = 2
        assert await anext(told) == ("A", [Level("A", "w", "w", 0, 2, 0)])


async def test_all_who_watch_are_told_by_one_reading(watch: Watch, store: Store) -> None:
    """However many they are; each hears of its own SKUs only."""
    async with aclosing(watch.follow(["A"], None)) as one, aclosing(watch.follow(["A", "B"], None)) as other:
        for told, count in ((one, 1), (other, 2)):
            for _ in range(count):
                await anext(told)
        store.on_hand |= {"A": 9, "B": 9}
        assert (await anext(one))[0] == "A"
        assert {(await anext(other))[0], (await anext(other))[0]} == {"A", "B"}
    assert {"A", "B"} in store.asked


async def test_a_stream_ends_before_its_time_is_up(watch: Watch) -> None:
    """So that the caller sees an end, and no error."""
    assert [sku async for sku, _ in watch.follow(["A"], 1.0)] == ["A"]


async def test_an_outage_of_the_database_is_survived(watch: Watch, store: Store) -> None:
    """What changed meanwhile is told afterwards."""
    async with aclosing(watch.follow(["A"], None)) as told:
        await anext(told)
        store.failing = True
        waiting = asyncio.ensure_future(anext(told))
        while len(store.asked) < 4:  # noqa: ASYNC110 - rounds pass
            await asyncio.sleep(0)
        store.failing, store.on_hand["A"] = False, 1
        assert (await waiting)[1][0].on_hand == 1
