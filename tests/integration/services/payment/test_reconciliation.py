"""Every difference between the ledger and a gateway's books is found, with its amounts, and kept until explained."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from mesh import errors
from services.common.database import Database
from services.common.ids import new_id
from services.common.money import Money
from services.payment import reconcile
from services.payment.adapters.books import SandboxBooks
from services.payment.domain.payment import Payment
from services.payment.reconciliation import MARGIN, Period, Reconciler
from services.payment.settings import PaymentSettings
from services.payment.store import SandboxAccounts, SettlementStore
from services.payment.store.settlement import Difference, Reconciliation
from tests.integration.postgres import Postgres
from tests.integration.services.payment.conftest import Desk, now

CUSTOMER = "01890000-0000-7000-8000-00000000c001"
HEADER = "id,type,reference,payment_reference,amount,currency\n"
DAY = timedelta(days=1)


@pytest.fixture
def reconciler(database: Database) -> Reconciler:
    """Compare with the sandbox's books."""
    return Reconciler(SettlementStore(database), {"sandbox": SandboxBooks(SandboxAccounts(database))}, now)


async def captured(desk: Desk, amount: int = 1000) -> tuple[Payment, str]:
    """Capture an amount; give the gateway's reference of that."""
    payment = await desk.cashier.authorize(new_id(), CUSTOMER, Money("EUR", amount), "tok_visa")
    payment = await desk.movements.capture(payment, None, None)
    return payment, payment.ledger[-1].reference


async def in_parts(text: str, size: int = 7) -> AsyncIterator[bytes]:
    """Send a file in small parts."""
    content = text.encode()
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def settle(reconciler: Reconciler, *rows: str) -> Reconciliation:
    """Compare a file with today's ledger."""
    period = Period(now() - DAY, now() + DAY)
    return await reconciler.settle("sandbox", period, in_parts(HEADER + "\n".join(rows)))


async def differences(database: Database) -> list[Difference]:
    """List what is open."""
    return await SettlementStore(database).differences({"reconciliation_id": None, "show_resolved": "false"}, None, 99)


async def test_what_agrees_is_no_difference(desk: Desk, reconciler: Reconciler, database: Database) -> None:
    """A capture in two rows, and a refund."""
    payment, reference = await captured(desk)
    refund = (await desk.movements.refund(payment, Money("EUR", 250), None)).ledger[-1].reference
    done = await settle(
        reconciler,
        f"1,CAPTURE,{reference},,9.99,EUR",
        f"2,CAPTURE,{reference},,0.01,EUR",
        f"3,REFUND,{refund},,2.50,EUR",
    )
    assert (done.settled, done.matched, done.differences) == (3, 2, 0)
    assert await differences(database) == []
    assert (await database.row("SELECT count(*) FROM settlement_rows"))[0] == 0


async def test_each_kind_of_difference_is_reported_with_its_amounts(
    desk: Desk, reconciler: Reconciler, database: Database
) -> None:
    """Missing on either side, another amount, another currency, and the same row twice."""
    references = [(await captured(desk))[1] for _ in range(4)]
    amount, currency, twice, missing = references
    done = await settle(
        reconciler,
        f"1,CAPTURE,{amount},,9.00,EUR",
        f"2,CAPTURE,{currency},,10.00,USD",
        f"3,CAPTURE,{twice},,10.00,EUR",
        f"3,CAPTURE,{twice},,10.00,EUR",
        "4,CAPTURE,from_elsewhere,,5.00,EUR",
    )
    found = {each.kind: each for each in await differences(database)}
    assert done.differences == len(found) == 5
    euros = Money("EUR", 1000)
    expected = {
        "AMOUNT_DIFFERS": (amount, euros, Money("EUR", 900)),
        "CURRENCY_DIFFERS": (currency, euros, Money("USD", 1000)),
        "DUPLICATE": (twice, euros, euros),
        "MISSING_IN_LEDGER": ("from_elsewhere", None, Money("EUR", 500)),
        "MISSING_IN_SETTLEMENT": (missing, euros, None),
    }
    assert {k: (d.reference, d.ledger_amount, d.settled_amount) for k, d in found.items()} == expected


async def test_an_open_difference_is_not_reported_twice(desk: Desk, reconciler: Reconciler, database: Database) -> None:
    """The same file may be compared again; what was explained and is still so is reported anew."""
    await captured(desk)
    assert (await settle(reconciler)).differences == 1
    assert (await settle(reconciler)).differences == 0
    (difference,) = await differences(database)
    await reconciler.resolve(difference.id, "paid out a day later")
    assert (await settle(reconciler)).differences == 1


async def test_a_difference_is_explained_once(desk: Desk, reconciler: Reconciler, database: Database) -> None:
    """By whom is kept; another explanation is refused, and so is one of nothing."""
    await captured(desk)
    await settle(reconciler)
    (difference,) = await differences(database)
    first = await reconciler.resolve(difference.id, "a test order")
    assert (first.note, first.resolved_by) == ("a test order", "service:unknown")
    assert await reconciler.resolve(difference.id, "a test order") == first
    with pytest.raises(errors.FailedPrecondition):
        await reconciler.resolve(difference.id, "something else")
    with pytest.raises(errors.NotFound):
        await reconciler.resolve(new_id(), "x")


@pytest.mark.parametrize(
    "row",
    ["1,CAPTURE,r,,many,EUR", "1,PAYOUT,r,,1.00,EUR", "1,CAPTURE,r,,1.001,EUR", "1,CAPTURE,r,,1.00,ZZZ", "1,CAPTURE"],
)
async def test_a_line_that_can_not_be_read_is_named_and_nothing_is_kept(
    reconciler: Reconciler, database: Database, row: str
) -> None:
    """Not half a file."""
    with pytest.raises(errors.InvalidArgument) as refusal:
        await settle(reconciler, "0,CAPTURE,r,,1.00,EUR", row)
    assert refusal.value.metadata["line"] == "3"
    assert (await database.row("SELECT count(*) FROM reconciliations"))[0] == 0


async def test_a_period_that_is_none_and_a_gateway_that_is_none_are_refused(reconciler: Reconciler) -> None:
    """With what is wrong."""
    moment = now()
    with pytest.raises(errors.InvalidArgument):
        Period(moment, moment)
    with pytest.raises(errors.NotFound):
        await reconciler.settle("nobody", Period(now() - DAY, now()), in_parts(""))


async def test_the_schedule_asks_the_gateway_once_an_interval(desk: Desk, database: Database) -> None:
    """Each period begins where the last one ended, and what the gateway moved without us is found."""
    later = [now() + 3 * MARGIN]
    books = {"sandbox": SandboxBooks(SandboxAccounts(database))}
    reconciler = Reconciler(SettlementStore(database), books, lambda: later[0])
    await captured(desk)
    first = await reconciler.ask("sandbox", DAY)
    assert first is not None
    assert (first.settled, first.matched, first.differences) == (1, 1, 0)
    assert await reconciler.ask("sandbox", DAY) is None
    later[0] += DAY
    await database.run(
        "WITH elsewhere AS (INSERT INTO sandbox_charges (key, reference, amount, currency_code) "
        "VALUES ('elsewhere', 'elsewhere', 100, 'EUR')) INSERT INTO sandbox_movements (key, reference, kind, amount, "
        "create_time) VALUES ('by_hand', 'elsewhere', 'REFUND', 100, now() + interval '4 hours')"
    )
    outcomes = await asyncio.gather(*(reconciler.ask("sandbox", DAY) for _ in range(3)))
    (second,) = [each for each in outcomes if each]
    assert second.start == first.end
    assert [each.reference for each in await differences(database)] == ["by_hand"]


async def test_the_command_compares_a_file_lists_and_explains(
    desk: Desk, postgres: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It exits with 1 when anything differs, and with 2 when it was told too little or can't read the file."""
    await captured(desk)
    described = postgres.settings(PaymentSettings, "payment")
    for name in ("service", "port", "metrics_port"):
        monkeypatch.setenv(f"ORDERMESH_{name.upper()}", str(getattr(described, name)))
    monkeypatch.setenv("ORDERMESH_DATABASE_URL", described.database_url.get_secret_value())
    file = tmp_path / "settlement.csv"
    file.write_text(HEADER)
    today = [f"--from={(now() - DAY).isoformat()}", f"--to={(now() + DAY).isoformat()}"]

    async def run(*arguments: str) -> int:
        return await asyncio.to_thread(reconcile.main, arguments)

    assert await run("compare") == 2
    assert await run("compare", f"--file={file}", "--gateway=nobody", *today) == 2
    assert await run("compare", f"--file={file}", "--gateway=sandbox", *today) == 1
    assert "MISSING_IN_SETTLEMENT CAPTURE" in capsys.readouterr().out
    assert await run("list") == 0
    difference = capsys.readouterr().out.split()[0]
    assert await run("resolve", f"--id={difference}", "--note=a test") == 0
    assert await run("compare", f"--file={file}", "--gateway=sandbox", "--from=2020-01-01", "--to=2020-01-02") == 0
