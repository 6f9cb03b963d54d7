"""Delivers notifications that are due: asks where the customer is reached, writes the e-mail, hands it over.

At least once: a process that dies between the server's yes and the commit sends again, with the same Message-ID.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from mesh import context, errors
from mesh.telemetry import get_logger
from services.notification import domain
from services.notification.domain import Notification, RetryPlan, State
from services.notification.letters import Letter
from services.notification.rendering import UnwritableError, Writer

_log = get_logger(__name__)

_BATCH: Final = 20
_LONGEST_DETAIL: Final = 500
_GATHER_SECONDS: Final = 0.1
"""From the first that is due to the claim, which costs as much for one as for several."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a customer is reached."""

    address: str
    name: str


class RefusedError(Exception):
    """The provider will never take this message."""


class UnreachableError(Exception):
    """The provider did not take the message now; it may later."""


class AddressBook(Protocol):
    """Knows where customers are reached."""

    async def find(self, customer_id: str) -> Recipient:
        """Return where the customer is reached today. Raises NotFound."""

    async def code(self, code_id: str) -> str:
        """Have the code of a mail made. Raises NotFound when nobody waits for it any more."""


class Mailer(Protocol):
    """Takes e-mails."""

    async def send(self, letter: Letter) -> str:
        """Return what the provider said when it took the letter. Raises RefusedError and UnreachableError."""


class Store(Protocol):
    """What delivery needs of the notification database."""

    async def claim(self, limit: int, lease: timedelta) -> list[Notification]:
        """Take what is due; until the lease ends nobody else gets the same, and nothing of it is locked."""

    async def save(self, notification: Notification) -> bool:
        """Commit its last attempt, and its event if that ended it. False when another process was quicker."""


class Delivery:
    """One attempt at a time at one notification."""

    def __init__(  # noqa: PLR0913 - each is another thing it stands on
        self,
        store: Store,
        addresses: AddressBook,
        mailer: Mailer,
        *,
        writer: Writer,
        clock: Callable[[], datetime],
        plan: RetryPlan,
    ) -> None:
        """`plan`: when to try again, and when to give up."""
        self._store = store
        self._addresses = addresses
        self._mailer = mailer
        self._writer = writer
        self._clock = clock
        self._plan = plan

    async def attempt(self, notification: Notification) -> Notification:
        """Try once and commit what came of it."""
        try:
            recipient = await self._addresses.find(notification.customer_id)
            code_id = notification.content.get(domain.ONE_TIME_CODE)
            code = await self._addresses.code(code_id) if code_id else ""
            letter = self._writer.write(notification, recipient.address, recipient.name, code)
            detail = await self._mailer.send(letter)
        except (errors.NotFound, UnwritableError, RefusedError) as fault:
            tried = self._failed(notification, str(fault), for_good=True)
        except UnreachableError as fault:
            tried = self._failed(notification, str(fault), for_good=False)
        except errors.Error as fault:
            # Customers may read what an attempt says, so it has nothing of our inside but the reason's name.
            _log.warning("the customer's address can't be had", customer_id=notification.customer_id, error=str(fault))
            tried = self._failed(notification, f"the address can't be had: {fault.reason}", for_good=False)
        else:
            tried = domain.delivered(notification, detail[:_LONGEST_DETAIL], self._clock())
        if await self._store.save(tried):
            _tell(tried)
        return tried

    def _failed(self, notification: Notification, detail: str, *, for_good: bool) -> Notification:
        return domain.not_delivered(
            notification, detail[:_LONGEST_DETAIL], self._clock(), self._plan, for_good=for_good
        )


class Deliveries:
    """The worker; any number of instances may run one."""

    def __init__(
        self, delivery: Delivery, store: Store, *, interval: timedelta, lease: timedelta, at_once: int = _BATCH
    ) -> None:
        """`interval`: how often to look. `lease`: how long a claimed notification is left alone by the others."""
        self._delivery = delivery
        self._store = store
        self._interval = interval.total_seconds()
        self._lease = lease
        self._at_once = at_once
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look at once: something was committed that is due."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until stopped."""
        stopped = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self._woken.clear()
                try:
                    full = await self.once() == self._at_once
                except errors.Error as fault:
                    _log.warning("can't look for what is due", error=str(fault))
                    full = False
                if not full:
                    await self._pause(stopped)
        finally:
            stopped.cancel()

    async def once(self) -> int:
        """Claim a batch and try each of it. Returns how many were claimed."""
        claimed = await self._store.claim(self._at_once, self._lease)
        await asyncio.gather(*(self._attempt(notification) for notification in claimed))
        return len(claimed)

    async def _attempt(self, notification: Notification) -> None:
        origin = notification.origin
        with context.background(
            actor="service:notification", request_id=origin.request_id, traceparent=origin.traceparent
        ):
            try:
                async with asyncio.timeout(self._lease.total_seconds() / 2):
                    await self._delivery.attempt(notification)
            except (errors.Error, TimeoutError) as fault:
                # What the attempt came to is not committed, so it is due again when the lease ends.
                _log.warning("delivery not recorded", notification_id=notification.id, error=str(fault))

    async def _pause(self, stopped: asyncio.Task[bool]) -> None:
        woken = asyncio.create_task(self._woken.wait())
        try:
            await asyncio.wait({woken, stopped}, timeout=self._interval, return_when=asyncio.FIRST_COMPLETED)
            if woken.done():
                await asyncio.wait({stopped}, timeout=_GATHER_SECONDS)
        finally:
            woken.cancel()


def _tell(tried: Notification) -> None:
    last = tried.attempts[-1]
    log = _log.warning if tried.state is State.FAILED else _log.info
    log(
        "delivery attempted",
        notification_id=tried.id,
        order_id=tried.order_id,
        template=tried.template,
        state=tried.state,
        attempt=last.number,
        detail=last.detail,
    )
