"""`make audit` on a running shop: clean, and when something is not as it must be it says what, by id."""

import subprocess
import sys
import uuid

from deploy.native.provision import postgres
from deploy.native.runtime import Runtime
from tests.e2e.shop import Client, Shop
from tests.stack import CHECKOUT, environment

HOLD = """
INSERT INTO reservations (id, order_id, state, expire_time, create_time, version)
VALUES (%s, %s, 'HELD', now() + interval '1 hour', now(), 1)
"""


def audit() -> subprocess.CompletedProcess[str]:
    """Run it."""
    command = [sys.executable, "-m", "deploy.native", "audit"]
    return subprocess.run(command, cwd=CHECKOUT, env=environment(), capture_output=True, text=True, check=False)  # noqa: S603 - ours


def test_the_books_agree_and_a_reservation_of_nobody_is_found(stack: Runtime, shop: Shop, customer: Client) -> None:
    """After an order and one that was taken back; and whatever other tests did in this stack, they left in order."""
    sku = shop.stock(units=2)
    customer.place(sku)
    customer.post(f"/api/v1/orders/{customer.place(sku)['id']}:cancel")
    clean = audit()
    assert clean.returncode == 0, clean.stdout + clean.stderr

    reservation, order = str(uuid.uuid4()), str(uuid.uuid4())
    database = stack.topology.services["inventory"].database
    with postgres.connect(stack, database) as connection:
        connection.execute(HOLD, (reservation, order))
    try:
        found = audit()
    finally:
        with postgres.connect(stack, database) as connection:
            connection.execute("DELETE FROM reservations WHERE id = %s", (reservation,))
    assert found.returncode == 1, found.stderr
    assert f"order {order}: reservation {reservation} is held, and there is no such order" in found.stdout
