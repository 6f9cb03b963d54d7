"""The consumer runtime: a member of a Kafka consumer group that has each event take effect exactly once, in order.

- An event's effect and its inbox row are one commit; its offset is committed after that. Whatever dies in between, the
  event comes again, and the inbox knows it.
- Events of one key take effect in their order. One that fails is parked in `<topic>.dlq`, and those of its key that
  follow wait behind it, until it is replayed or discarded: `python -m services.common.dead_letters`.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mesh.telemetry import get_logger
from services.common.connection import Connection
from services.common.database import Database
from services.common.dead_letter_topic import DeadLetterTopic
from services.common.handling import Effects, Handler, Handling, Patience
from services.common.inbox import Inbox
from services.common.lanes import Handle, Lanes
from services.common.parked import ParkedEvents
from services.common.received import ReceivedEvent
from services.common.replays import Replays
from services.common.settings import ServiceSettings
from services.common.subscription import KafkaSubscription, MembershipLostError, Partition, Subscription

__all__ = ["Connection", "Consumer", "Handler", "Member", "ReceivedEvent"]

_log = get_logger(__name__)

REPLAY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How a member works through its partitions. Durations are in seconds."""

    batch: int = 500
    poll: float = 0.2
    commit: float = 0.2
    """Between commits of offsets, each of which the broker writes to its log. What is not committed comes again, and
    the inbox knows it."""

    finish: float = 8.0
    """For the events in hand, when the process stops or partitions go."""
    rejoin: float = 1.0
    """Between one membership and the next."""


class Consumer:
    """All that consumes for one group in this process: `app.background("consumer", Consumer(…).run)`."""

    def __init__(  # noqa: PLR0913 - each is another thing it stands on
        self,
        settings: ServiceSettings,
        group: str,
        topics: Sequence[str],
        handler: Handler,
        inbox_database: Database,
        *,
        committed: Callable[[], None] | None = None,
        patience: Patience | None = None,
        acts_on: Collection[str] | None = None,
    ) -> None:
        """`handler` has the effect of an event, in the transaction of `inbox_database` that it is given.

        It must act on nothing else: what reaches outside is done by a worker, from what the handler wrote, which
        `committed` may wake. `acts_on`: full names of the messages that it does anything for; None for all.
        """
        patience = patience or Patience()
        inbox = Inbox(inbox_database, group)
        parked = ParkedEvents(inbox_database, group)
        letters = DeadLetterTopic(settings, group)
        effects = Effects(group, handler, patience, committed)
        # The service's other work needs connections too.
        at_once = max(1, settings.database_pool_size // 2)
        handling = Handling(
            group,
            effects,
            inbox=inbox,
            parking=parked,
            letters=letters,
            patience=patience,
            at_once=at_once,
            acts_on=acts_on,
        )
        self._member = Member(lambda: KafkaSubscription(settings, group, topics), handling.handle)
        self._replays = Replays(
            group,
            effects,
            inbox=inbox,
            parked=parked,
            letters=letters,
            patience=patience,
            interval=REPLAY_SECONDS,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until stopped; then finish the events in hand, commit, and leave the group."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._member.run(stop))
            tasks.create_task(self._replays.run(stop))


class Member:
    """One membership in the group after the other: a run makes its own and leaves it."""

    def __init__(self, subscribe: Callable[[], Subscription], handle: Handle, pace: Pace | None = None) -> None:
        """`subscribe` makes a subscription that has not joined yet; `handle` brings a record to its end."""
        self._subscribe = subscribe
        self._handle = handle
        self._pace = pace or Pace()

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until stopped."""
        while not stop.is_set():
            try:
                await self._belong(stop)
            except MembershipLostError as fault:
                _log.warning("joining the group anew", error=str(fault))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._pace.rejoin)

    async def _belong(self, stop: asyncio.Event) -> None:
        """Be a member until stopped. Polling never waits for handling: the group would take us for dead."""
        work = _Work(self._subscribe(), Lanes(self._handle, self._pace.finish))
        try:
            await work.join()
            while not stop.is_set():
                await work.step(self._pace)
        finally:
            await work.leave()


class _Work:
    """The work of one membership."""

    def __init__(self, subscription: Subscription, lanes: Lanes) -> None:
        self._subscription = subscription
        self._lanes = lanes
        self._unanswered = 0
        self._commit_at = 0.0

    async def join(self) -> None:
        await self._subscription.join(self._assigned, self._revoked, self._lost, self._answered)

    async def step(self, pace: Pace) -> None:
        self._lanes.add(await self._subscription.poll(pace.batch, pace.poll))
        self._lanes.check()
        if full := self._lanes.to_pause():
            await self._subscription.pause(full)
        if low := self._lanes.to_resume():
            await self._subscription.resume(low)
        now = asyncio.get_running_loop().time()
        if not self._unanswered and now >= self._commit_at and await self._commit():
            self._commit_at = now + pace.commit

    async def leave(self) -> None:
        try:
            await self._lanes.finish()
        finally:
            await self._subscription.leave()

    async def _commit(self) -> bool:
        begun = bool(offsets := self._lanes.done()) and await self._subscription.commit(offsets)
        self._unanswered += begun
        return begun

    async def _answered(self, offsets: Mapping[Partition, int]) -> None:
        self._unanswered -= 1
        self._lanes.committed(offsets)

    async def _assigned(self, partitions: Sequence[Partition]) -> None:
        self._lanes.open(partitions)

    async def _revoked(self, partitions: Sequence[Partition]) -> None:
        await self._lanes.finish(partitions)
        await self._commit()
        await self._lanes.close(partitions)

    async def _lost(self, partitions: Sequence[Partition]) -> None:
        await self._lanes.close(partitions)
