"""Every service is restarted under load, one instance at a time, and no customer notices."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from deploy.native import secrets
from deploy.native.runtime import Runtime
from deploy.native.supervisor import Supervisor
from tests.chaos.instances import START_S, Second, healthy
from tests.e2e.shop import Client, Shop, eventually, order_of

BUYERS = 3


def buy(customer: Client, sku: str) -> str:
    """Place an order, look at it and at the shelf; gives what went wrong, or nothing."""
    try:
        placed = customer.try_place(order_of(sku))
        if not placed.is_success or placed.json()["state"] != "CONFIRMED":
            return f"order: {placed.status_code} {placed.text[:300]}"
        seen = customer.http.get(f"/api/v1/orders/{placed.json()['id']}")
        shelf = customer.http.get(f"/api/v1/inventory/{sku}")
        wrong = [reply for reply in (seen, shelf) if not reply.is_success]
        return f"read: {wrong[0].status_code} {wrong[0].text[:300]}" if wrong else ""
    except httpx.TransportError as failure:
        return f"transport: {failure!r}"


@contextmanager
def under_load(shop: Shop) -> Iterator[Counter[str]]:
    """Have customers buy while the body runs; the outcomes are counted, the good ones under ""."""
    sku, done, outcomes = shop.stock(units=1_000_000), threading.Event(), Counter[str]()
    customers = [shop.customer() for _ in range(BUYERS)]

    def keep_buying(customer: Client) -> None:
        while not done.is_set():
            outcomes[buy(customer, sku)] += 1

    with ThreadPoolExecutor(BUYERS) as at_once:
        buyers = [at_once.submit(keep_buying, customer) for customer in customers]
        try:
            yield outcomes
        finally:
            done.set()
    for buyer in buyers:
        buyer.result()


@pytest.mark.timeout(300)
def test_a_rolling_restart_fails_no_request(stack: Runtime, shop: Shop, second_instances: dict[str, Second]) -> None:
    """Each instance leaves the mesh before it stops, and gets calls again when it is healthy."""
    supervisor = Supervisor(stack, secrets.ensure(stack.root, stack.topology.services))
    with under_load(shop) as outcomes:
        time.sleep(1)
        for service in second_instances:
            supervisor.stop([service])
            eventually(lambda: healthy(stack, service) == 1, within_s=START_S)  # noqa: B023 - called at once
            time.sleep(0.5)
            supervisor.run(service)
            eventually(lambda: healthy(stack, service) == 2, within_s=START_S)  # noqa: B023 - as above
        time.sleep(1)
    good = outcomes.pop("")
    assert not outcomes
    assert good > BUYERS
