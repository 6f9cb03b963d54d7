"""The ledger's invariants hold whatever is tried in whatever order, also for who goes around the code."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mesh import errors
from services.common.database import Database
from services.common.ids import new_id
from services.common.money import Money
from services.payment.domain.facts import Moved
from services.payment.domain.payment import Payment
from services.payment.routing import Gateways
from services.payment.settings import PaymentSettings
from services.payment.store import PaymentStore, SandboxAccounts
from tests.integration.postgres import Postgres
from tests.integration.services.payment.books import audit
from tests.integration.services.payment.conftest import Desk, desk_of, guarded
from tests.integration.services.payment.gateway import Gateway

CUSTOMER = "01890000-0000-7000-8000-00000000c001"
AMOUNTS = st.integers(1, 700)
REWRITES = ("UPDATE ledger_entries SET amount = 1", "DELETE FROM ledger_entries", "TRUNCATE ledger_entries")
BOTH = """
WITH entry AS (INSERT INTO ledger_entries (payment_id, kind, amount, create_time) VALUES (%s, 'CAPTURE', 1001, now()))
UPDATE payments SET state = 'CAPTURED', captured = 1001 WHERE id = %s
"""
ENTRY = "INSERT INTO ledger_entries (payment_id, kind, amount, create_time) VALUES (%s, %s, %s, now())"


def euros(minor_units: int) -> Money:
    """Make an amount."""
    return Money("EUR", minor_units)


class Ledger(RuleBasedStateMachine):
    """One payment, moved at random, with replies lost at random; a model of it that is added up by hand."""

    run: Callable[[Coroutine[Any, Any, Any]], Any]
    postgres: Postgres
    database: Database
    desk: Desk
    gateway: Gateway
    payment: Payment

    @initialize()
    def authorized(self) -> None:
        """Have 1000 held."""
        self.payment = self.run(self.desk.cashier.authorize(new_id(), CUSTOMER, euros(1000), "tok_visa"))

    @rule(amount=AMOUNTS, final=st.booleans(), lost=st.booleans())
    def capture(self, amount: int, final: bool, lost: bool) -> None:  # noqa: FBT001 - hypothesis passes by name
        """Capture a part."""
        self._try(self.desk.movements.capture(self.payment, euros(amount), None, final=final), lost=lost)

    @rule(amount=AMOUNTS, lost=st.booleans())
    def refund(self, amount: int, lost: bool) -> None:  # noqa: FBT001 - as above
        """Refund a part."""
        self._try(self.desk.movements.refund(self.payment, euros(amount), None), lost=lost)

    @rule(lost=st.booleans())
    def void(self, lost: bool) -> None:  # noqa: FBT001 - as above
        """Give up the rest."""
        self._try(self.desk.cashier.void(self._now()), lost=lost)

    @rule()
    def expire(self) -> None:
        """The hold runs out."""
        self.run(self.database.run("UPDATE payments SET expire_time = now()"))
        self._try(self.desk.leftovers.expire(), lost=False)

    @rule(data=st.data())
    def fail_later(self, data: st.DataObject) -> None:
        """A movement that was accepted fails, told twice."""
        ours = [entry.operation_id for entry in self._now().ledger if entry.operation_id]
        if ours:
            failed = data.draw(st.sampled_from(ours))
            for _ in range(2):
                self._try(self.desk.bookkeeper.note("sandbox", Moved(failed, "", "failed")), lost=False)

    @rule()
    def settle(self) -> None:
        """The worker finishes what is open."""
        self.run(self.desk.leftovers.settle(timedelta(0)))

    @invariant()
    def nothing_moves_that_is_not_there(self) -> None:
        """By the row, which the database holds to the ledger."""
        if hasattr(self, "payment"):
            now = self._now()
            assert euros(0) <= now.refunded <= now.captured
            assert now.captured + now.voided <= now.authorized == euros(1000)

    def teardown(self) -> None:
        """Finish everything, and compare with events and the gateway."""
        self.run(self.desk.leftovers.settle(timedelta(0)))
        audit(self.postgres)

    def _try(self, work: Coroutine[Any, Any, Any], *, lost: bool) -> None:
        self.gateway.mute = lost
        with suppress(errors.Error):
            self.run(work)
        self.gateway.mute = False

    def _now(self) -> Payment:
        found: Payment = self.run(self.desk.store.get(self.payment.id))
        return found


def test_the_ledger_holds_whatever_is_tried(postgres: Postgres) -> None:
    """A state machine on the real database."""
    postgres.migrate("payment")
    postgres.empty("payment")
    with asyncio.Runner() as runner:
        opening = Database.open(postgres.settings(PaymentSettings, "payment"))
        database = runner.run(opening.__aenter__())
        gateway = Gateway(SandboxAccounts(database))
        desk = desk_of(PaymentStore(database), Gateways({"sandbox": guarded(gateway)}, {"*": ["sandbox"]}))
        Ledger.run, Ledger.postgres, Ledger.database = staticmethod(runner.run), postgres, database
        Ledger.desk, Ledger.gateway = desk, gateway
        quick = settings(
            max_examples=20, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        )
        run_state_machine_as_test(Ledger, settings=quick)
        runner.run(opening.__aexit__(None, None, None))


async def test_the_database_refuses_what_does_not_add_up(desk: Desk, postgres: Postgres) -> None:
    """Entries without the row, the row without entries, more than was authorized: nobody gets around it."""
    payment = await desk.cashier.authorize(new_id(), CUSTOMER, euros(1000), "tok_visa")
    with postgres.app("payment") as connection:
        for kind, amount in (("CAPTURE", 1001), ("CAPTURE", 5), ("REFUND", 1), ("VOID", 1000), ("CHARGEBACK", 1)):
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute(ENTRY, (payment.id, kind, amount))
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("UPDATE payments SET state = 'CAPTURED', captured = 10 WHERE id = %s", (payment.id,))
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(BOTH, (payment.id, payment.id))


async def test_the_ledger_is_never_rewritten(desk: Desk, postgres: Postgres) -> None:
    """The service's role may add to it only."""
    await desk.cashier.authorize(new_id(), CUSTOMER, euros(1000), "tok_visa")
    with postgres.app("payment") as connection:
        for statement in REWRITES:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
