"""Compares gateways' books with the ledger: a settlement file as it comes, or the gateway's API on a schedule."""

import asyncio
import contextlib
import csv
import io
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import datetime, timedelta

from prometheus_client import Gauge

from mesh import context, errors
from mesh.telemetry import get_logger
from services.payment.adapters.gateway import GatewayUnreachableError, Settled, Settlements
from services.payment.store.settlement import Difference, Reconciliation, SettlementStore, Source
from services.payment.webhooks import GatewayUnknown

_log = get_logger(__name__)

OPEN = Gauge("ordermesh_payment_settlement_differences", "Differences that nobody has explained yet.")

BATCH = 1000
IN_MEMORY_BYTES = 4 * 1024 * 1024
LONGEST_FILE_BYTES = 1024 * 1024 * 1024
MARGIN = timedelta(hours=1)
"""How far the clocks and the books of a gateway may be from ours at the ends of a period."""


class Period:
    """From `start` until before `end`."""

    def __init__(self, start: datetime, end: datetime) -> None:
        """Raises InvalidArgument unless it is one."""
        if start >= end:
            raise errors.InvalidArgument(
                "the period ends before it begins",
                reason="PERIOD_INVALID",
                violations=[errors.FieldViolation("end_time", "must be after start_time", "PERIOD_INVALID")],
            )
        self.start = start
        self.end = end


class DifferenceNotFound(errors.NotFound):
    """There is no such difference."""

    def __init__(self, difference_id: str) -> None:
        super().__init__(
            f"there is no difference {difference_id}",
            reason="DIFFERENCE_NOT_FOUND",
            metadata={"difference_id": difference_id},
        )


class Reconciler:
    """The use cases of reconciliation."""

    def __init__(self, store: SettlementStore, books: Mapping[str, Settlements], clock: Callable[[], datetime]) -> None:
        """`books`: by gateway."""
        self._store = store
        self._books = books
        self._clock = clock

    async def settle(self, gateway: str, period: Period, file: AsyncIterator[bytes]) -> Reconciliation:
        """Compare a settlement file. Raises InvalidArgument, naming the line that can't be read."""
        if gateway not in self._books:
            raise GatewayUnknown(gateway)
        with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as spool:
            async for part in file:
                spool.write(part)
                if spool.tell() > LONGEST_FILE_BYTES:
                    raise errors.InvalidArgument("the file is too long; split it by period", reason="FILE_TOO_LONG")
            spool.seek(0)
            text = io.TextIOWrapper(spool, encoding="utf-8-sig", newline="")
            async with self._store.comparison() as comparison:
                if comparison is None:
                    raise errors.Aborted("another comparison is under way", reason="COMPARISON_UNDER_WAY")
                for batch in _batches(_rows(text, self._books[gateway])):
                    await comparison.add(batch)
                done = await comparison.finish(gateway, Source.FILE, period.start, period.end)
        return await self._reported(done)

    async def ask(self, gateway: str, interval: timedelta) -> Reconciliation | None:
        """Compare what the gateway itself tells of the time since last asked, if that is long enough ago.

        None when it isn't, when the gateway can't be asked, or when another process is at it.
        """
        async with self._store.comparison(lock=f"reconcile {gateway}") as comparison:
            if comparison is None:
                return None
            end = self._clock() - MARGIN
            start = await comparison.last_end(gateway) or end - interval
            movements = self._books[gateway].movements(start - MARGIN, end + MARGIN)
            if movements is None or end - start < interval:
                return None
            batch: list[Settled] = []
            async for each in movements:
                batch.append(each)
                if len(batch) == BATCH:
                    await comparison.add(batch)
                    batch = []
            if batch:
                await comparison.add(batch)
            done = await comparison.finish(gateway, Source.GATEWAY, start, end)
        return await self._reported(done)

    async def resolve(self, difference_id: str, note: str) -> Difference:
        """Note how a difference is explained. Raises NotFound, and FailedPrecondition when it was otherwise before."""
        resolved = await self._store.resolve(difference_id, note, context.current().caller.actor)
        if resolved is not None:
            OPEN.set(await self._store.open_differences())
            return resolved
        found = await self._store.difference(difference_id)
        if found is None:
            raise DifferenceNotFound(difference_id)
        if found.note != note:
            raise errors.FailedPrecondition(
                f"difference {difference_id} was resolved by {found.resolved_by}",
                reason="DIFFERENCE_RESOLVED",
                metadata={"difference_id": difference_id},
            )
        return found

    async def run(self, stop: asyncio.Event, *, interval: timedelta, look_every: timedelta) -> None:
        """Ask each gateway once an interval, in one process at a time."""
        while not stop.is_set():
            with context.background(actor="service:payment"):
                for gateway in self._books:
                    await self._asked(gateway, interval)
                OPEN.set(await self._store.open_differences())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), look_every.total_seconds())

    async def _asked(self, gateway: str, interval: timedelta) -> None:
        try:
            await self.ask(gateway, interval)
        except GatewayUnreachableError as fault:
            _log.warning("the gateway can't be reconciled with", gateway=gateway, error=str(fault))

    async def _reported(self, done: Reconciliation) -> Reconciliation:
        log = _log.warning if done.differences else _log.info
        log(
            "reconciled",
            reconciliation_id=done.id,
            gateway=done.gateway,
            settled=done.settled,
            matched=done.matched,
            differences=done.differences,
        )
        OPEN.set(await self._store.open_differences())
        return done


def _rows(text: io.TextIOWrapper, books: Settlements) -> Iterator[Settled]:
    reader = csv.DictReader(text, strict=True)
    try:
        for row in reader:
            settled = books.read({key: value for key, value in row.items() if key and isinstance(value, str)})
            if settled is not None:
                yield settled
    except (KeyError, ValueError, csv.Error) as fault:
        what = f"there is no column {fault}" if isinstance(fault, KeyError) else str(fault)
        raise errors.InvalidArgument(
            f"line {reader.line_num} of the file can't be read: {what}",
            reason="SETTLEMENT_MALFORMED",
            metadata={"line": str(reader.line_num)},
            violations=[errors.FieldViolation("file", f"line {reader.line_num}: {what}", "SETTLEMENT_MALFORMED")],
        ) from fault


def _batches(rows: Iterator[Settled]) -> Iterator[list[Settled]]:
    batch: list[Settled] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
