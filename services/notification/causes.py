"""What makes a notification: an event of an order or an account that people hear of."""

from collections.abc import Callable
from datetime import datetime

from services.common.consumer import Connection, ReceivedEvent
from services.notification.events import accounts, stories
from services.notification.store import NotificationStore

TOLD = stories.TOLD | accounts.TOLD | {accounts.ERASED}
"""Full names of the events that have an effect here."""


class Causes:
    """The handler of the consumer group `notification`."""

    def __init__(self, store: NotificationStore, clock: Callable[[], datetime]) -> None:
        """`store` gets the notifications."""
        self._store = store
        self._clock = clock

    async def handle(self, connection: Connection, event: ReceivedEvent) -> None:
        """Add the notification that the event causes, if any, in its transaction; or erase somebody's."""
        erased = accounts.erased_by(event)
        if erased is not None:
            return await self._store.erase(connection, erased)
        now = self._clock()
        notification = stories.notification_caused_by(event, now) or accounts.notification_caused_by(event, now)
        if notification is not None:
            await self._store.add(connection, notification)
        return None
