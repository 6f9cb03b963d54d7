"""What must hold of the inventory database at any moment, whoever did what to it at once."""

from google.protobuf.message import Message

from ordermesh.inventory.v1 import inventory_events_pb2
from services.inventory.store import Request
from services.inventory.store.auditing import QUESTIONS
from tests.integration.postgres import Postgres


def audit(postgres: Postgres) -> None:
    """Ask what `make stock-audit` asks: levels against the ledger and the holds, changes against events."""
    with postgres.superuser("inventory") as connection:
        found = {each.rule: connection.execute(each.statement.encode()).fetchall() for each in QUESTIONS}
    assert {rule: rows for rule, rows in found.items() if rows} == {}


def asked(request_id: str, *what: object) -> Request:
    """Make a request of an id for something."""
    return Request(request_id, repr(what).encode())


def told(postgres: Postgres, aggregate_id: str) -> list[Message]:
    """Read the events about a SKU or an order, oldest first."""
    with postgres.superuser("inventory") as connection:
        rows = connection.execute(
            "SELECT type, payload FROM events WHERE aggregate_id = %s ORDER BY sequence", [aggregate_id]
        ).fetchall()
    return [_class_of(name).FromString(bytes(payload)) for name, payload in rows]


def _class_of(full_name: str) -> type[Message]:
    found: type[Message] = getattr(inventory_events_pb2, full_name.rpartition(".")[2])
    return found
