"""What must hold of all three databases once no order is under way: the promise of the saga."""

from tests.integration.postgres import Postgres
from tests.integration.services.inventory import books as inventory
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
