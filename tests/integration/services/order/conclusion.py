"""What must hold of all three databases once no order is under way: the promise of the saga."""

from collections import Counter

from services.order.domain.order import Order, State
from services.order.domain.parts import ShipmentState
from services.order.rebuild import Rebuilding
from tests.integration.postgres import Postgres
from tests.integration.services.inventory import books as inventory
from tests.integration.services.order.shop import Shop
from tests.integration.services.payment import books as payment

ORDERS = b"SELECT id::text, state, reservation_id::text, payment_id::text, total FROM orders"
HELD = b"SELECT order_id::text, id::text FROM reservations WHERE state = 'HELD'"
AUTHORIZED = b"SELECT order_id::text, id::text, authorized FROM payments WHERE state = 'AUTHORIZED'"


def audit(postgres: Postgres) -> dict[str, int]:
    """Compare them: a confirmed order holds its stock and its money, any other neither. Counts orders by state."""
    with postgres.superuser("order") as connection:
        orders = connection.execute(ORDERS).fetchall()
    with postgres.superuser("inventory") as connection:
        held = connection.execute(HELD).fetchall()
    with postgres.superuser("payment") as connection:
        authorized = connection.execute(AUTHORIZED).fetchall()
    confirmed = [order for order in orders if order[1] == "CONFIRMED"]
    if sorted((order[0], order[2]) for order in confirmed) != sorted(held):
        raise AssertionError(f"confirmed: {confirmed}\nstock held for: {held}")
    if sorted((order[0], order[3], order[4]) for order in confirmed) != sorted(authorized):
        raise AssertionError(f"confirmed: {confirmed}\nmoney held for: {authorized}")
    inventory.audit(postgres)
    payment.audit(postgres)
    states = [order[1] for order in orders]
    return {state: states.count(state) for state in sorted(set(states))}


async def settled_up(shop: Shop, *, given_up: bool = False) -> dict[str, int]:
    """Compare what each order says with the stock and the money held, gone and back for it. Counts orders by state."""
    states: Counter[str] = Counter()
    count, wrong = await Rebuilding(shop.orders).check_all()
    assert wrong == {}
    for order in await _all(shop, count):
        assert order.settled, order
        await _stock_agrees(shop, order)
        await _money_agrees(shop, order, given_up=given_up)
        states[order.state] += 1
    return dict(sorted(states.items()))


async def _all(shop: Shop, count: int) -> list[Order]:
    everybody = {"owner": None, "customer_id": None, "state": None}
    found = await shop.orders.page(everybody, None, count + 1)
    assert len(found) == count
    return found


async def _stock_agrees(shop: Shop, order: Order) -> None:
    reservation = await shop.stock.reservation(order.id)
    parts = reservation.allocations if reservation else ()
    for line in order.lines:
        mine = [part for part in parts if part.sku == line.sku]
        restocked = sum(each.restocked for r in order.returns for each in r.lines if each.sku == line.sku)
        assert sum(part.returned for part in mine) == restocked, (order, mine)
        assert sum(part.committed for part in mine) == line.shipped, (order, mine)
        holds = order.state in {State.CONFIRMED, State.PARTIALLY_SHIPPED}
        assert sum(part.held for part in mine) == (line.left if holds else 0), (order, mine)


async def _money_agrees(shop: Shop, order: Order, *, given_up: bool) -> None:
    """`given_up`: holds were given up behind the orders' backs."""
    payment = await shop.payments.of_order(order.id)
    if payment is None:
        assert order.state in {State.REJECTED, State.CANCELLED}
        return
    none = order.sum(())
    assert (payment.captured if payment.captured.minor_units else none) == order.captured, (order, payment)
    assert (payment.refunded if payment.refunded.minor_units else none) == order.refunded, (order, payment)
    if given_up or any(each.state is ShipmentState.FAILED for each in order.shipments):
        return
    held = payment.held.minor_units
    if order.state in {State.CONFIRMED, State.PARTIALLY_SHIPPED}:
        assert held == (order.total - order.captured).minor_units, (order, payment)
    else:
        assert held == 0, (order, payment)
