"""What must be true when all is quiet again: nothing is under way anywhere, and everybody was told what is so."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping

import psycopg

from deploy.native.audit import books
from deploy.native.errors import StackError
from deploy.native.runtime import Runtime
from services.notification.domain import Channel, notification_id
from services.notification.events.stories import TOLD
from tests.chaos.soak.tally import Tally
from tests.stack import CHECKOUT, environment

WAITING: Mapping[str, Mapping[str, str]] = {
    "order": {"orders on their way": "SELECT count(*) FROM orders WHERE lease_until IS NOT NULL"},
    "payment": {
        "payments without an answer": "SELECT count(*) FROM payments WHERE state = 'PENDING'",
        "movements without an answer": "SELECT count(*) FROM operations WHERE NOT done",
        "notifications of gateways": "SELECT count(*) FROM webhook_deliveries WHERE state = 'RECEIVED'",
    },
    "notification": {"e-mails to be sent": "SELECT count(*) FROM notifications WHERE state = 'PENDING'"},
}
STATES = "SELECT id::text, state FROM orders WHERE create_time > to_timestamp(%s)"
CAUSES = "SELECT id::text FROM events WHERE type = ANY(%s)"
LETTERS = "SELECT id::text, state FROM notifications"
BOOKED = """
SELECT kind, count(*) FROM ledger_entries
WHERE payment_id = %s AND kind IN ('CHARGEBACK', 'CHARGEBACK_REVERSAL') GROUP BY kind
"""
DISPUTES = "SELECT gateway_reference, state FROM disputes WHERE payment_id = %s"


def waiting(stack: Runtime) -> dict[str, int]:
    """Count what is not done yet, by kind; a database that is away counts as one."""
    found: dict[str, int] = {}
    for service, questions in WAITING.items():
        try:
            with books.reading(stack, service) as connection:
                for what, question in questions.items():
                    found[what] = _number(connection, question)
        except StackError:
            found[f"the database of {service}"] = 1
    missing = unwritten(stack)
    return {what: count for what, count in {**found, "e-mails to be written": missing}.items() if count}


def unwritten(stack: Runtime) -> int:
    """Count the events that a customer should hear of and that made no notification yet."""
    try:
        with books.reading(stack, "order") as order, books.reading(stack, "notification") as notification:
            causes = [row[0] for row in order.execute(CAUSES, (sorted(TOLD),))]
            told = {row[0] for row in notification.execute(LETTERS)}
    except StackError:
        return 1
    return sum(notification_id(cause, Channel.EMAIL) not in told for cause in causes)


def outcomes(stack: Runtime, tally: Tally) -> Counter[str]:
    """Count the orders of the run by state."""
    with books.reading(stack, "order") as connection:
        return Counter(state for _, state in connection.execute(STATES, (tally.begun,)))


def broken(stack: Runtime, tally: Tally) -> Iterator[str]:
    """Say which orders are not as their customers were told."""
    with books.reading(stack, "order") as connection:
        found = dict(connection.execute(STATES, (tally.begun,)).fetchall())
    for order_id, state in tally.promised.items():
        if order_id not in found:
            yield f"order {order_id} was answered and is not there"
        elif state and found[order_id] != state:
            yield f"order {order_id} was {state} when nobody touched it any more, and is {found[order_id]}"


def unwon(stack: Runtime, disputed: Mapping[str, str]) -> Iterator[str]:
    """Say which disputes did not end as they were told, once each."""
    with books.reading(stack, "payment") as connection:
        for payment_id, dispute_id in disputed.items():
            booked = dict(connection.execute(BOOKED, (payment_id,)).fetchall())
            kept = connection.execute(DISPUTES, (payment_id,)).fetchall()
            if booked != {"CHARGEBACK": 1, "CHARGEBACK_REVERSAL": 1} or kept != [(dispute_id, "WON")]:
                yield f"payment {payment_id}: {kept}, booked {booked}"


def letters(stack: Runtime) -> dict[str, int]:
    """Count what customers were told, by how it ended."""
    with books.reading(stack, "notification") as connection:
        return dict(Counter(state for _, state in connection.execute(LETTERS)))


def quiet(stack: Runtime, within_s: float) -> tuple[float, dict[str, int]]:
    """Wait until nothing is under way: gives how long that took, and what still is after so many seconds."""
    begun = time.monotonic()
    while (left := waiting(stack)) and time.monotonic() < begun + within_s:
        time.sleep(1)
    return round(time.monotonic() - begun, 1), left


def audit() -> subprocess.CompletedProcess[str]:
    """Run `make audit`."""
    command = [sys.executable, "-m", "deploy.native", "audit"]
    return subprocess.run(command, cwd=CHECKOUT, env=environment(), capture_output=True, text=True, check=False)  # noqa: S603 - ours


def _number(connection: psycopg.Connection[tuple[int, ...]], question: str) -> int:
    (row,) = connection.execute(question.encode()).fetchall()
    return row[0]
