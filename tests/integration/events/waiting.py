"""Waiting for what happens elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 30.0


async def eventually(look: Callable[[], Awaitable[T]], wanted: object, *, within_s: float = PATIENCE_S) -> T:
    """Look again until what is seen is what is wanted; fail with the last that was seen."""
    return await until(look, lambda seen: seen == wanted, within_s=within_s)


async def until(look: Callable[[], Awaitable[T]], good: Callable[[T], bool], *, within_s: float = PATIENCE_S) -> T:
    """Look again until what is seen is good; fail with the last that was seen."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within_s
    while not good(seen := await look()):
        assert loop.time() < end, f"after {within_s:g} s there is still {seen}"
        await asyncio.sleep(0.05)
    return seen
