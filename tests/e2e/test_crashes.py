"""Services that die in the middle of orders: whatever the callers saw, stock and money come out right."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx
import pytest

from deploy.native import secrets
from deploy.native.runtime import Runtime
from deploy.native.supervisor import Supervisor
from tests.e2e.accidents import kill
from tests.e2e.shop import Client, Json, Shop, eventually, order_of

BUYERS = 4
STOCK = 100_000
SETTLED = {"CONFIRMED", "REJECTED"}
SETTLING_S = 60.0


def try_until(done: Event, customer: Client, sku: str) -> int:
    """Place orders, come what may; returns how many calls failed."""
    failed = 0
    while not done.is_set():
        try:
            failed += not customer.try_place(order_of(sku)).is_success
        except httpx.TransportError:
            failed += 1
    return failed


def all_orders(customer: Client) -> list[Json]:
    """Read every order of a customer."""
    orders: list[Json] = []
    token = ""
    while True:
        page = customer.get("/api/v1/orders", pageSize=200, pageToken=token)
        orders += page.get("orders", [])
        if not (token := page.get("nextPageToken", "")):
            return orders


@pytest.mark.parametrize("program", ["order", "inventory", "payment", "postgres"])
@pytest.mark.timeout(240)
def test_what_dies_under_load_leaves_no_order_half_done(stack: Runtime, shop: Shop, program: str) -> None:
    """Every order settles by itself; what is sold is what is missing from the shelf, and each sale is paid for once."""
    sku, done = shop.stock(units=STOCK), Event()
    customers = [shop.customer() for _ in range(BUYERS)]
    with ThreadPoolExecutor(BUYERS) as at_once:
        buyers = [at_once.submit(try_until, done, customer, sku) for customer in customers]
        time.sleep(1)
        kill(stack, program)
        time.sleep(4)
        done.set()
    assert all(buyer.result() >= 0 for buyer in buyers)

    def settled() -> list[Json]:
        if not all(customer.http.get("/api/v1/orders").is_success for customer in customers):
            return []  # Whoever died isn't back yet.
        orders = [order for customer in customers for order in all_orders(customer)]
        return orders if all(order["state"] in SETTLED for order in orders) else []

    orders = eventually(settled, within_s=SETTLING_S)
    sold = [order for order in orders if order["state"] == "CONFIRMED"]
    assert len(sold) >= BUYERS
    assert shop.available(sku) == STOCK - len(sold)
    for order in orders[-20:]:
        payments = shop.admin.get("/api/v1/payments", orderId=order["id"]).get("payments", [])
        held = [payment for payment in payments if payment["state"] == "AUTHORIZED"]
        assert len(held) == (order["state"] == "CONFIRMED"), order
        assert all(len(payment["ledger"]) == 1 for payment in held)


def test_who_watches_is_told_that_an_instance_stops(stack: Runtime, shop: Shop) -> None:
    """By a last event with the reason, and begins again when there is another."""
    customer = shop.customer()
    path = f"/api/v1/orders/{customer.place(shop.stock(units=1))['id']}"
    supervisor = Supervisor(stack, secrets.ensure(stack.root, stack.topology.services))
    with customer.http.stream("GET", f"{path}:watch", timeout=30) as reply:
        lines = reply.iter_lines()
        first = next(lines)
        supervisor.stop(["order"])
        rest = [line for line in lines if line]
    assert supervisor.run("order")
    assert "CONFIRMED" in first
    assert rest[-2] == "event: error"
    assert json.loads(rest[-1].removeprefix("data: "))["reason"] == "DRAINING"
    eventually(lambda: customer.http.get(path).is_success)
