"""A service that is away takes with it what only it can do, and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from deploy.native import secrets
from deploy.native.runtime import Runtime
from deploy.native.supervisor import Supervisor
from tests.e2e.shop import Client, Json, Shop, eventually


@contextmanager
def away(stack: Runtime, program: str, client: Client, probe: str) -> Iterator[None]:
    """Stop a program, and have it back afterwards: then `probe` answers again."""
    supervisor = Supervisor(stack, secrets.ensure(stack.root, stack.topology.services))
    supervisor.stop([program])
    try:
        yield
    finally:
        supervisor.run(program)
        eventually(lambda: client.http.get(probe).is_success, within_s=60.0)


@pytest.mark.timeout(180)
def test_products_are_shown_without_inventory(stack: Runtime, shop: Shop) -> None:
    """Their stock is unknown then, and known again when inventory is back."""
    sku = shop.stock(units=3)
    visitor = shop.stranger
    (listed,) = [
        product
        for product in visitor.get("/api/v1/products", query=sku)["products"]
        if sku in {variant["sku"] for variant in product["variants"]}
    ]

    def shown() -> Json:
        product = visitor.get(f"/api/v1/products/{listed['id']}", view="WITH_STOCK")
        (variant,) = [each for each in product["variants"] if each["sku"] == sku]
        return {key: variant.get(key) for key in ("availability", "available")}

    there, unknown = {"availability": "IN_STOCK", "available": "3"}, {"availability": "UNKNOWN", "available": None}
    assert eventually(lambda: shown() == there)
    with away(stack, "inventory", visitor, f"/api/v1/inventory/{sku}"):
        # The edge may give what it was told a moment ago.
        assert eventually(lambda: shown() == unknown)
    assert eventually(lambda: shown() == there)
