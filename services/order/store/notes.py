"""Notes about orders, each with its event."""

from psycopg.errors import UniqueViolation

from services.common import events
from services.common.database import Database, Row
from services.order.domain.errors import IdempotencyKeyReused
from services.order.domain.notes import Note
from services.order.events import note_event

_ADD = f"""
WITH added AS (
    INSERT INTO order_notes (id, order_id, text, customer_visible, author, request_id, create_time)
    VALUES (CAST(%(id)s AS uuid), CAST(%(order_id)s AS uuid), %(text)s, %(customer_visible)s, %(author)s,
            %(request_id)s, %(create_time)s)
    RETURNING id
)
{events.insert_from("added")}
"""  # noqa: S608 - constants only
_NOTES = "SELECT id::text, order_id::text, text, customer_visible, author, create_time FROM order_notes "
_PAGE = """
WHERE order_id = CAST(%(order_id)s AS uuid) AND (customer_visible OR %(all)s)
  AND (CAST(%(after)s AS uuid) IS NULL OR id > CAST(%(after)s AS uuid))
ORDER BY id LIMIT %(limit)s
"""


class NoteStore:
    """What people wrote down."""

    def __init__(self, database: Database) -> None:
        """Use the order database."""
        self._database = database

    async def add(self, note: Note, request_id: str | None) -> Note:
        """Commit a note and its event; of a request id that was used before, give the note it made.

        Raises IdempotencyKeyReused when that one says something else.
        """
        values = {
            "id": note.id,
            "order_id": note.order_id,
            "text": note.text,
            "customer_visible": note.customer_visible,
            "author": note.author,
            "request_id": request_id,
            "create_time": note.create_time,
        }
        try:
            await self._database.run(_ADD, values | events.parameters(note_event(note)))
        except UniqueViolation:
            if request_id is None:
                raise
            return await self._repeated(note, request_id)
        return note

    async def page(self, order_id: str, after: str | None, limit: int, *, everything: bool) -> list[Note]:
        """Read notes, oldest first; those for staff only if `everything`."""
        values = {"order_id": order_id, "after": after, "limit": limit, "all": everything}
        return [_note(row) for row in await self._database.rows(_NOTES + _PAGE, values)]

    async def _repeated(self, note: Note, request_id: str) -> Note:
        where = "WHERE order_id = CAST(%(order_id)s AS uuid) AND request_id = %(request_id)s"
        earlier = _note(await self._database.row(_NOTES + where, {"order_id": note.order_id, "request_id": request_id}))
        if (earlier.text, earlier.customer_visible) != (note.text, note.customer_visible):
            raise IdempotencyKeyReused(request_id)
        return earlier


def _note(row: Row) -> Note:
    return Note(*row)
