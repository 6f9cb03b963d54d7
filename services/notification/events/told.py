"""Events that people hear of, each with its template and what it tells: what those of orders and of accounts share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from services.common.received import ReceivedEvent
from services.notification.domain import Content, Template


def _nothing(_: Any) -> Content:  # noqa: ANN401 - events are of several types
    return {}


def _always(_: Any) -> bool:  # noqa: ANN401 - as above
    return True


@dataclass(frozen=True, slots=True)
class Story:
    """One kind of event: `content` is what it tells beyond what all of them do, `heard` says which people hear of."""

    event: type[Message]
    template: Template
    content: Callable[[Any], Content] = _nothing
    heard: Callable[[Any], bool] = _always


class Stories:
    """Stories by the full name of their event."""

    def __init__(self, *stories: Story) -> None:
        """Each event has one."""
        self._of = {story.event.DESCRIPTOR.full_name: story for story in stories}
        self.names = frozenset(self._of)

    def template_of(self, event: str) -> Template:
        """Say by which template an event is told, by its full name."""
        return self._of[event].template

    def find(self, event: ReceivedEvent) -> tuple[Story, Any] | None:
        """Read an event that people hear of, and give it with its story; None of others. Raises UndecodableError."""
        story = self._of.get(event.type)
        if story is None:
            return None
        message = event.message(story.event)
        return (story, message) if story.heard(message) else None
