"""One run from the first customer to the last call: what is measured, in which order, and for how long."""

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass

from bench import accounts, billing, calls, load, machine, reads, receiver, report, shop
from bench.aside import beside
from bench.billing import Bill
from bench.calls import Calls
from bench.errors import BenchError
from bench.latency import Latency
from bench.load import Outcome
from bench.results import Delivery, Placing, Reading, Results, Rush, Sizes
from bench.shop import Shop
from bench.stack import Stack

CLIENTS = (1, 8, 32)
WARM_UP_CLIENTS = 8
# Java compiles what is called often: until then Kafka and Connect take more, however short the run is to be.
WARM_UP_SECONDS = 10.0
RUSH_CLIENTS = 64
MODEST_RATE = 20.0
# Where latency still says something: beyond, queues grow for as long as one measures.
SHARE_OF_SATURATION = 0.7

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How long each measurement takes, in seconds, and the command that asked for it."""

    seconds: float
    command: str


class Measuring:
    """A run on one stack."""

    def __init__(self, stack: Stack, plan: Plan, say: Say) -> None:
        """`say` tells people how far it is."""
        self._stack, self._plan, self._say = stack, plan, say
        self._rest: dict[str, float] = {}
        self._bills: list[Bill] = []

    async def run(self) -> Results:
        """Measure everything. Raises BenchError when the stack does not let us."""
        date = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        customers = shop.customers_for(shop.HIGHEST_RATE)
        async with shop.opened(self._stack, customers) as open_shop:
            self._say(f"{customers} customers, {shop.SKUS} SKUs in stock; warming up")
            await self._warm_up(open_shop)
            self._rest = await billing.at_rest(self._stack.pids, self._plan.seconds)
            placings = [await self._place(open_shop, clients) for clients in CLIENTS]
            best = max(placing.rate for placing in placings)
            paced = [await self._pace(open_shop, rate) for rate in (MODEST_RATE, SHARE_OF_SATURATION * best)]
            rush = await self._rush(open_shop)
            memory = accounts.memory(self._stack.pids)
            readings, sizes = await self._read(open_shop)
        return Results(
            date=date,
            command=self._plan.command,
            seconds=self._plan.seconds,
            machine=machine.facts(self._stack.runtime),
            python=self._stack.python,
            rest=self._rest,
            memory=memory,
            others=sum(bill.others for bill in self._bills) / sum(bill.seconds for bill in self._bills),
            client_cpu=sum(bill.ourselves for bill in self._bills)
            / max(1, sum(placing.orders for placing in placings)),
            placings=placings,
            paced=[placing for placing, _ in paced],
            rush=rush,
            deliveries=[delivery for _, delivery in paced],
            readings=readings,
            sizes=sizes,
        )

    async def _warm_up(self, open_shop: Shop) -> None:
        outcome = await load.closed(open_shop.place, WARM_UP_CLIENTS, max(WARM_UP_SECONDS, self._plan.seconds))
        if not outcome.good:
            raise BenchError(f"no order was confirmed but {outcome.errors}; see make demo and make logs s=order")

    async def _place(self, open_shop: Shop, clients: int) -> Placing:
        async with billing.billed(self._stack.pids, self._rest) as bill:
            outcome = await load.closed(open_shop.place, clients, self._plan.seconds)
        self._bills.append(bill)
        self._say(f"orders, {report.clients(clients)}: {outcome.rate:.1f} a second {outcome.errors or ''}")
        return placing(outcome, bill, clients=clients)

    async def _pace(self, open_shop: Shop, rate: float) -> tuple[Placing, Delivery]:
        """Place orders at a rate, and see when a consumer has their events."""
        async with beside(receiver.__name__, self._stack.kafka, self._stack.events_topic) as consumer:
            outcome = await load.paced(open_shop.place, rate, self._plan.seconds)
        age = Latency.of(json.loads(consumer.found))
        self._say(
            f"orders, {rate:.0f} a second: p95 {outcome.latency.p95 * 1000:.0f} ms, events {age.p95 * 1000:.0f} ms"
        )
        return placing(outcome, Bill(), offered=rate), Delivery(rate, outcome.good, age)

    async def _rush(self, open_shop: Shop) -> Rush:
        """Take turns, so that what else the machine does falls on both."""
        spread, hot = Outcome(), Outcome()
        for _ in range(2):
            spread += await load.closed(open_shop.place, RUSH_CLIENTS, self._plan.seconds / 2)
            hot += await load.closed(open_shop.place_hot, RUSH_CLIENTS, self._plan.seconds / 2)
        self._say(f"orders, {RUSH_CLIENTS} clients: {spread.rate:.1f} a second, of one SKU {hot.rate:.1f}")
        return Rush(RUSH_CLIENTS, spread.rate, hot.rate, hot.errors)

    async def _read(self, open_shop: Shop) -> tuple[list[Reading], dict[str, Sizes]]:
        if open_shop.last is None:
            raise BenchError("no order was confirmed, so there is none to read")
        async with reads.targets(self._stack, open_shop.last, open_shop.product_id) as (targets, sizes):
            measured = await calls.compare(targets, CLIENTS, self._plan.seconds)
        for each in measured:
            who, done = f"{each.target}, {report.clients(each.clients)}", each.outcome
            self._say(f"{who}: {done.rate:.0f} a second {done.errors or ''}")
        return [reading(each) for each in measured], dict(sizes)


def placing(outcome: Outcome, bill: Bill, *, clients: int = 0, offered: float = 0.0) -> Placing:
    """Sum up orders that were placed."""
    return Placing(
        clients=clients,
        offered=offered,
        orders=outcome.good,
        rate=outcome.rate,
        latency=outcome.latency,
        errors=outcome.errors,
        cpu=bill.each(outcome.good),
    )


def reading(measured: Calls) -> Reading:
    """Sum up calls that were made."""
    return Reading(
        target=measured.target,
        clients=measured.clients,
        rate=measured.outcome.rate,
        latency=measured.outcome.latency,
        errors=measured.outcome.errors,
        server_cpu=measured.server_cpu_per_call,
        client_cpu=measured.client_cpu_per_call,
    )
