"""The way from the order service to the others and to its database, which can lose requests and replies."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from mesh import errors


class ProcessDiedError(errors.Unavailable):
    """Here the process was killed. Whatever it would do after a failure has no effect: all of its wires are dead."""

    def __init__(self) -> None:
        super().__init__("the process died")


@dataclass
class Life:
    """How long the order service lives: so many requests and replies, on all of its wires; for ever if None."""

    crossings: int | None = None
    died: bool = False

    def cross(self) -> None:
        """Live through a request or a reply, or not: and then through none."""
        if self.crossings is None:
            return
        if self.crossings == 0:
            self.died = True
            raise ProcessDiedError
        self.crossings -= 1


@dataclass
class Wire:
    """How reliable the way to others is: how many of a hundred requests, and of a hundred replies, get lost.

    Wires of one process share its life.
    """

    lost_requests: int = 0
    lost_replies: int = 0
    luck: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - luck, not secrecy

    life: Life = field(default_factory=Life)

    crossed: int = 0
    """How many requests and replies there were."""

    def request(self) -> None:
        """Let a request through, or not."""
        self._cross(self.lost_requests)

    def reply(self) -> None:
        """Let a reply through, or not."""
        self._cross(self.lost_replies)

    def _cross(self, percent_lost: int) -> None:
        self.crossed += 1
        self.life.cross()
        if self.luck.randrange(100) < percent_lost:
            raise errors.Unavailable("lost on the way")


class Far:
    """Something at the end of a wire: each of its methods is asked by a request and answers by a reply."""

    def __init__(self, there: object, wire: Wire) -> None:
        """Lead to the real one."""
        self._there = there
        self._wire = wire

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """Wrap a method."""
        method = getattr(self._there, name)

        async def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the method has
            self._wire.request()
            answer = await method(*arguments, **named)
            self._wire.reply()
            return answer

        return call
