"""What makes a notification: an event of an order that its customer hears of."""

from collections.abc import Callable
from datetime import datetime

from services.common.consumer import Connection, ReceivedEvent
from services.notification.events.stories import notification_caused_by
from services.notification.store import NotificationStore


class Causes:
    """The handler of the consumer group `notification`."""

    def __init__(self, store: NotificationStore, clock: Callable[[], datetime]) -> None:
        """`store` gets the notifications."""
        self._store = store
        self._clock = clock

    async def handle(self, connection: Connection, event: ReceivedEvent) -> None:
        """Add the notification that the event causes, if any, in its transaction."""
        notification = notification_caused_by(event, self._clock())
        if notification is not None:
            await self._store.add(connection, notification)
