"""What gateways tell by themselves: checked and stored while they wait, acted upon afterwards.

What a notification does depends on how the payment stands, so that it is right early, late, twice or out of order.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from prometheus_client import Counter, Gauge

from mesh import context, errors
from mesh.telemetry import get_logger
from services.payment.adapters.gateway import (
    GatewayUnreachableError,
    MalformedError,
    Notifications,
    SignatureInvalidError,
)
from services.payment.domain.facts import TooEarlyError
from services.payment.notified import Bookkeeper
from services.payment.store.deliveries import DeliveryState, StoredDelivery, WebhookStore

_log = get_logger(__name__)

DELIVERED = Counter(
    "ordermesh_payment_webhooks_total",
    "Deliveries of gateways: accepted, repeated, refused (signature), malformed.",
    ("gateway", "outcome"),
)
FAILED = Gauge("ordermesh_payment_webhooks_failed", "Deliveries that took no effect and that somebody has to look at.")

AT_ONCE = 20
LEASE = timedelta(seconds=60)
FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=15)


class GatewayUnknown(errors.NotFound):
    """No gateway of that name sends notifications here."""

    def __init__(self, gateway: str) -> None:
        super().__init__(f"there is no gateway {gateway}", reason="GATEWAY_UNKNOWN", metadata={"gateway": gateway})


class DeliveryNotFound(errors.NotFound):
    """There is no such delivery."""

    def __init__(self, delivery_id: str) -> None:
        super().__init__(
            f"there is no delivery {delivery_id}", reason="DELIVERY_NOT_FOUND", metadata={"delivery_id": delivery_id}
        )


class Webhooks:
    """Takes deliveries in, and acts upon them."""

    def __init__(
        self,
        store: WebhookStore,
        gateways: Mapping[str, Notifications],
        bookkeeper: Bookkeeper,
        clock: Callable[[], datetime],
        give_up_after: timedelta,
    ) -> None:
        """`give_up_after`: how long a delivery may wait for what it is about before somebody has to look at it."""
        self._store = store
        self._gateways = gateways
        self._bookkeeper = bookkeeper
        self._clock = clock
        self._give_up_after = give_up_after
        self._arrived = asyncio.Event()

    async def receive(self, gateway: str, headers: Mapping[str, str], body: bytes) -> None:
        """Check and store what came. Raises NotFound, Unauthenticated, and InvalidArgument for what is no delivery."""
        if gateway not in self._gateways:
            raise GatewayUnknown(gateway)
        try:
            deliveries = self._gateways[gateway].verified(headers, body, self._clock())
        except SignatureInvalidError as fault:
            DELIVERED.labels(gateway, "refused").inc()
            _log.warning("a delivery was refused", gateway=gateway, error=str(fault))
            raise errors.Unauthenticated(
                "the signature is missing, wrong or too old", reason="SIGNATURE_INVALID"
            ) from fault
        except MalformedError as fault:
            DELIVERED.labels(gateway, "malformed").inc()
            raise errors.InvalidArgument("the content can't be read", reason="DELIVERY_MALFORMED") from fault
        new = await self._store.add(gateway, deliveries)
        DELIVERED.labels(gateway, "accepted").inc(new)
        DELIVERED.labels(gateway, "repeated").inc(len(deliveries) - new)
        self._arrived.set()

    async def retry(self, delivery_id: str) -> StoredDelivery:
        """Act once more upon a delivery that failed."""
        delivery = await self._store.retry(delivery_id)
        if delivery is None:
            raise DeliveryNotFound(delivery_id)
        self._arrived.set()
        return delivery

    async def act(self) -> int:
        """Act upon what is due; say how many that were."""
        taken = await self._store.take(LEASE, AT_ONCE)
        for delivery in taken:
            state, reason = await self._outcome(delivery)
            pause = min(FIRST_PAUSE * 2 ** min(delivery.attempts, 12), LONGEST_PAUSE)
            if state is DeliveryState.RECEIVED and self._clock() - delivery.create_time > self._give_up_after:
                state = DeliveryState.FAILED
                _log.error("a delivery took no effect", delivery_id=delivery.id, type=delivery.type, reason=reason)
            await self._store.finish(delivery, state, reason, pause)
        return len(taken)

    async def run(self, stop: asyncio.Event, *, interval: timedelta, keep: timedelta) -> None:
        """Act whenever something came, and on what was left for later."""
        while not stop.is_set():
            self._arrived.clear()
            with context.background(actor="service:payment"):
                while await self.act() == AT_ONCE and not stop.is_set():
                    pass
                await self._store.forget(keep)
                FAILED.set(await self._store.failed())
            await _either(stop, self._arrived, interval)

    async def _outcome(self, delivery: StoredDelivery) -> tuple[DeliveryState, str]:
        try:
            fact = self._gateways[delivery.gateway].fact(delivery.content)
            if fact is None:
                return DeliveryState.IGNORED, ""
            await self._bookkeeper.note(delivery.gateway, fact)
        except (MalformedError, KeyError) as fault:
            _log.error("a delivery can't be read", delivery_id=delivery.id, type=delivery.type, error=str(fault))
            return DeliveryState.FAILED, "MALFORMED"
        except (TooEarlyError, GatewayUnreachableError, errors.Error) as fault:
            return DeliveryState.RECEIVED, getattr(fault, "reason", "GATEWAY_UNREACHABLE")
        except Exception:  # noqa: BLE001 - one defect must not keep the others from taking effect
            _log.exception("a delivery failed", delivery_id=delivery.id, type=delivery.type)
            return DeliveryState.RECEIVED, "INTERNAL"
        return DeliveryState.PROCESSED, ""


async def _either(stop: asyncio.Event, arrived: asyncio.Event, interval: timedelta) -> None:
    """Wait for one of the two, at most for the interval."""
    waits = [asyncio.ensure_future(event.wait()) for event in (stop, arrived)]
    try:
        await asyncio.wait(waits, timeout=interval.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*waits, return_exceptions=True)
