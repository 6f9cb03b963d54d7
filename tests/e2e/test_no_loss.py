"""Events and e-mails while Connect and the broker die under load: none is lost, none comes out of order."""

import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest

from deploy.native import event_log
from deploy.native.event_log import Contracts
from deploy.native.provision.kafka_clients import as_operator
from deploy.native.runtime import Runtime
from tests.e2e.accidents import kill
from tests.e2e.shop import Client, Shop, eventually

BUYERS = 4
LOAD_S = 4.0
RECOVERY_S = 120.0
"""A worker that is gone is missed after six seconds, and its successor takes the connectors on after that;
with the start of a JVM that is some twenty seconds, and several times that on a machine that is busy with much else."""

TOPIC = "order-events"


def buy_until(done: Event, customer: Client, sku: str) -> list[str]:
    """Place orders one after the other; returns their ids."""
    placed = []
    while not done.is_set():
        order = customer.place(sku)
        assert order["state"] == "CONFIRMED"
        placed.append(order["id"])
    return placed


@contextmanager
def buying(shop: Shop) -> Iterator[list[Future[list[str]]]]:
    """Have several customers buy at once while the body runs."""
    sku, done = shop.stock(units=100_000), Event()
    customers = [shop.customer() for _ in range(BUYERS)]
    with ThreadPoolExecutor(BUYERS) as at_once:
        buyers = [at_once.submit(buy_until, done, customer, sku) for customer in customers]
        try:
            yield buyers
        finally:
            done.set()


@pytest.mark.parametrize("program", ["connect", "kafka"])
@pytest.mark.timeout(400)
def test_a_component_that_is_killed_under_load_loses_no_event(stack: Runtime, shop: Shop, program: str) -> None:
    """Orders go on, since nobody waits for Kafka; every event arrives, in order, and every customer is written to."""
    contracts = Contracts(stack.checkout / "build" / "descriptors.binpb")
    _, begin = event_log.tail(as_operator(stack), TOPIC, last=0)
    with buying(shop) as buyers:
        time.sleep(LOAD_S / 2)
        kill(stack, program)
        time.sleep(LOAD_S)
    orders = [order for buyer in buyers for order in buyer.result()]
    wanted = {(order, sequence) for order in orders for sequence in (1, 2, 3)}

    arrived: dict[str, list[int]] = defaultdict(list)
    missing = set(wanted)
    for event in event_log.follow(as_operator(stack), begin, contracts, for_s=RECOVERY_S):
        arrived[event.key].append(int(event.headers["ce_sequence"]))
        missing.discard((event.key, int(event.headers["ce_sequence"])))
        if not missing:
            break
    assert not missing, f"{len(missing)} of {len(wanted)} events lost"
    for order in orders:
        assert list(dict.fromkeys(arrived[order])) == [1, 2, 3], "first deliveries are in order"
    last = orders[-1]
    eventually(lambda: len(shop.letters_about(last)) == 1, within_s=RECOVERY_S)
