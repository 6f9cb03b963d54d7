"""Membership in a Kafka consumer group: which partitions are ours, what they bring, and how far we are through them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.aio import AIOConsumer

from mesh.telemetry import get_logger
from services.common.daemon_threads import DaemonThreads
from services.common.kafka import client_config, record_of
from services.common.received import Record
from services.common.settings import ServiceSettings

_log = get_logger(__name__)

_LEAVE_SECONDS = 3.0


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    number: int


class MembershipLostError(Exception):
    """The membership can't go on; another can be begun."""


Change = Callable[[Sequence[Partition]], Awaitable[None]]
"""Told which partitions came or go; the group waits until it returns."""

Answer = Callable[[Mapping[Partition, int]], Awaitable[None]]
"""Told how a commit ended: what the group knows now, which is nothing new if it failed."""


class Subscription(Protocol):
    """What the consumer runtime needs of Kafka."""

    async def join(self, assigned: Change, revoked: Change, lost: Change, answered: Answer) -> None:
        """Join the group. `revoked` may still commit, `lost` may not: others have those partitions already."""

    async def poll(self, limit: int, seconds: float) -> list[Record]:
        """Return what is there, as soon as anything is; it must be called again and again, or the group expels us.

        Raises MembershipLostError.
        """

    async def commit(self, offsets: Mapping[Partition, int]) -> bool:
        """Begin to tell the group where to begin next time; `answered` is told how it ended. False when it can't be."""

    async def pause(self, partitions: Iterable[Partition]) -> None:
        """Bring nothing more of these for now."""

    async def resume(self, partitions: Iterable[Partition]) -> None:
        """Bring more of these again."""

    async def leave(self) -> None:
        """Give the partitions back, calling `revoked`, and leave; also when no broker answers."""


class KafkaSubscription:
    """A Subscription by confluent-kafka. Topics that don't exist yet are waited for."""

    def __init__(self, settings: ServiceSettings, group: str, topics: Sequence[str]) -> None:
        """`settings` say how to reach Kafka, and what its logs call this process. Nothing is connected yet."""
        self._topics = list(topics)
        self._config = {
            **client_config(settings, settings.instance),
            "group.id": group,
            "enable.auto.commit": False,
            # A new group has to see everything that happened.
            "auto.offset.reset": "earliest",
            # Only partitions that move stop for a rebalance.
            "partition.assignment.strategy": "cooperative-sticky",
            # A static member: after a restart, a kill -9 too, it goes on at once with the partitions it had. Only
            # when it stays away do the others get them, after the session's end; an outage of the broker that is
            # shorter than that moves nothing either.
            "group.instance.id": settings.instance,
            "session.timeout.ms": 20_000,
            "heartbeat.interval.ms": 2_000,
            "fetch.wait.max.ms": 500,
            "fetch.error.backoff.ms": 100,
        }
        self._consumer: AIOConsumer | None = None

    async def join(self, assigned: Change, revoked: Change, lost: Change, answered: Answer) -> None:
        """Join the group."""
        config = {**self._config, "on_commit": _heard(answered)}
        self._consumer = AIOConsumer(config, executor=DaemonThreads())
        await self._consumer.subscribe(
            self._topics, on_assign=_told(assigned), on_revoke=_told(revoked), on_lost=_told(lost)
        )

    async def poll(self, limit: int, seconds: float) -> list[Record]:
        """Return what is there, as soon as anything is. Raises MembershipLostError."""
        # consume() alone would wait until it has `limit` messages, or the time is up.
        first = await self._joined.poll(seconds)
        if first is None:
            return []
        rest = await self._joined.consume(limit - 1, 0)
        return [record_of(message) for message in (first, *rest) if _is_record(message)]

    async def commit(self, offsets: Mapping[Partition, int]) -> bool:
        """Begin to tell the group where to begin next time; `answered` is told how it ended. False when it can't be.

        It is not waited for: with the broker away librdkafka tries for minutes.
        """
        positions = [TopicPartition(*partition, offset) for partition, offset in offsets.items()]
        try:
            await self._joined.commit(offsets=positions, asynchronous=True)
        except KafkaException as fault:
            _log.warning("offsets not committed", error=str(fault))
            return False
        return True

    async def pause(self, partitions: Iterable[Partition]) -> None:
        """Bring nothing more of these for now."""
        await self._joined.pause([TopicPartition(*partition) for partition in partitions])

    async def resume(self, partitions: Iterable[Partition]) -> None:
        """Bring more of these again."""
        await self._joined.resume([TopicPartition(*partition) for partition in partitions])

    async def leave(self) -> None:
        """Give the partitions back, calling `revoked`, and leave; also when no broker answers."""
        if self._consumer is None:
            return
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._consumer.close()
        except TimeoutError:
            # It waits for a commit's answer. Nothing is lost: what is done is in the inbox, whoever gets it again.
            _log.warning("left without an answer of the broker")
        finally:
            self._consumer = None

    @property
    def _joined(self) -> AIOConsumer:
        if self._consumer is None:
            raise RuntimeError("join the group first")
        return self._consumer


def _told(change: Change) -> Callable[[AIOConsumer, list[TopicPartition]], Awaitable[None]]:
    async def callback(_: AIOConsumer, partitions: list[TopicPartition]) -> None:
        await change([Partition(each.topic, each.partition) for each in partitions])

    return callback


def _heard(answered: Answer) -> Callable[[KafkaError | None, list[TopicPartition]], Awaitable[None]]:
    async def callback(error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        fault = next((each for each in (error, *(partition.error for partition in partitions)) if each), None)
        if fault is None:
            await answered({Partition(each.topic, each.partition): each.offset for each in partitions})
            return
        # Nothing is lost: what is done is in the inbox, whoever gets it again.
        _log.warning("offsets not committed", error=str(fault))
        await answered({})

    return callback


def _is_record(message: Message) -> bool:
    error = message.error()
    if error is None:
        return True
    if error.fatal():
        # Such as FENCED_INSTANCE_ID, when a broker that was away gets a commit that was on its way under our old name.
        raise MembershipLostError(str(error))
    if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        _log.info("topic does not exist yet; waiting for it", topic=message.topic())
    else:
        _log.warning("Kafka reports", error=str(error))
    return False
