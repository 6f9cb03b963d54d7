"""What must hold of the inventory database at any moment, whoever did what to it at once."""

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
