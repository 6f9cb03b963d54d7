"""Events and notes as entries of an order's timeline."""

from services.common.events import StoredEvent
from services.order.domain.notes import Note
from services.order.domain.timeline import Entry, sentence
from services.order.events import order_of


def entry_of_event(event: StoredEvent) -> Entry:
    """Say what an event tells of."""
    return Entry(event.id, sentence(order_of(event)), event.actor, event.occurred_at)


def entry_of_note(note: Note) -> Entry:
    """Give a note its place."""
    return Entry(note.id, f"Note: {note.text}", note.author, note.create_time)
