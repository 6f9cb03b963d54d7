"""Products with their stock, from an inventory service over real gRPC that may be slow, away or short of words."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from mesh import errors
from mesh.contract import Contract
from ordermesh.inventory.v1 import inventory_pb2
from ordermesh.inventory.v1 import inventory_service_pb2 as inventory
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from ordermesh.product.v1 import product_pb2
from ordermesh.product.v1 import product_service_pb2 as pb
from services.common.money import Money
from services.product.adapters.stock import MOST_AT_ONCE, InventoryService
from services.product.domain import Product, Variant
from services.product.service import ProductService
from tests.integration.mesh.warehouse import HOST, SERVICE, Warehouse, calling, listening

ID = "01890000-0000-7000-8000-0000000000a1"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIGURES = {"A": (3, 0), "B": (0, 5), "C": (0, 0)}
Shown = product_pb2.Variant


class Shelf(Warehouse):
    """Tells the stock of SKUs: A is there, B to be ordered, C gone."""

    def __init__(self) -> None:
        """Answer at once."""
        super().__init__()
        self.questions: list[int] = []
        self.failure: errors.Error | None = None
        self.hangs = False

    async def BatchGetStock(self, request: Any, _: object) -> Any:  # noqa: ANN401, N802 - gRPC's own
        """Answer in the order asked, as the contract has it."""
        self.questions.append(len(request.skus))
        if self.hangs:
            await asyncio.sleep(30)
        if self.failure:
            raise self.failure
        stocks = [
            inventory_pb2.Stock(sku=sku, available=available, backorderable=backorderable)
            for sku in request.skus
            for available, backorderable in [FIGURES.get(sku, (1, 0))]
        ]
        return inventory.BatchGetStockResponse(stocks=stocks)


class Catalogue:
    """A store of one product."""

    def __init__(self, skus: Sequence[str]) -> None:
        """`skus` are its variants."""
        prices = (Money("EUR", 100),)
        variants = tuple(Variant(sku, "", {}, prices) for sku in skus)
        self._product = Product(ID, "Lamp", "", "", variants, 1, NOW, NOW)

    async def get(self, ids: Sequence[str], field: str = "ids") -> list[Product]:  # noqa: ARG002 - the store's own
        """Give the product, whatever its id."""
        return [self._product for _ in ids]


@pytest.fixture
def shelf() -> Shelf:
    """Make the inventory service."""
    return Shelf()  # type: ignore[abstract] # Nobody asks for the other methods.


@asynccontextmanager
async def products(address: str, skus: Sequence[str] = ("A", "B", "C")) -> AsyncIterator[ProductService]:
    """Be the product service, which finds inventory at an address."""
    async with calling(address, Contract.load(), peer="product") as clients:
        stocks = InventoryService(clients.client(inventory_grpc.InventoryServiceStub, SERVICE, as_service=True))
        yield ProductService(Catalogue(skus), stocks, lambda: NOW, lambda: ID)  # type: ignore[arg-type]


async def variants(service: ProductService, view: pb.ProductView.ValueType = pb.WITH_STOCK) -> list[Shown]:
    """Ask for the product."""
    product = await service.GetProduct(pb.GetProductRequest(id=ID, view=view), None)
    return list(product.variants)


def figures(found: Sequence[Shown]) -> dict[str, tuple[str, int | None]]:
    """Read what is told of each variant."""
    return {
        each.sku: (
            Shown.Availability.Name(each.availability),
            each.available if each.HasField("available") else None,
        )
        for each in found
    }


async def test_a_product_is_shown_with_its_stock_when_that_is_asked_for(shelf: Shelf) -> None:
    """By its availability and the units there are, none included."""
    async with listening(shelf, Contract.load()) as address, products(address) as service:
        found = figures(await variants(service))
    assert found == {"A": ("IN_STOCK", 3), "B": ("BACKORDER", 0), "C": ("OUT_OF_STOCK", 0)}


@pytest.mark.parametrize("view", [pb.PRODUCT_VIEW_UNSPECIFIED, pb.BASIC])
async def test_whoever_does_not_ask_costs_inventory_nothing(shelf: Shelf, view: pb.ProductView.ValueType) -> None:
    """Nothing is said about stock, which is not the same as none."""
    async with listening(shelf, Contract.load()) as address, products(address) as service:
        found = figures(await variants(service, view))
    assert set(found.values()) == {("AVAILABILITY_UNSPECIFIED", None)}
    assert shelf.questions == []


UNKNOWN = dict.fromkeys("ABC", ("UNKNOWN", None))


async def test_without_inventory_the_product_is_shown_and_its_stock_is_unknown() -> None:
    """No error, and no figure that nobody knows."""
    async with products(f"{HOST}:1") as service:
        assert figures(await variants(service)) == UNKNOWN


@pytest.mark.parametrize("failure", [errors.Unavailable("database"), errors.ResourceExhausted("overloaded")])
async def test_an_inventory_in_trouble_is_done_without(shelf: Shelf, failure: errors.Error) -> None:
    """As one that is away."""
    shelf.failure = failure
    async with listening(shelf, Contract.load()) as address, products(address) as service:
        assert figures(await variants(service)) == UNKNOWN


async def test_an_inventory_that_hangs_holds_nobody_up(shelf: Shelf) -> None:
    """The product is there long before inventory's own deadline."""
    shelf.hangs = True
    async with listening(shelf, Contract.load()) as address, products(address) as service:
        assert figures(await variants(service)) == UNKNOWN


async def test_a_defect_of_inventory_is_not_hidden(shelf: Shelf) -> None:
    """It is no outage."""
    shelf.failure = errors.Internal("a defect")
    async with listening(shelf, Contract.load()) as address, products(address) as service:
        with pytest.raises(errors.Internal):
            await variants(service)


async def test_many_products_are_asked_for_in_few_questions(shelf: Shelf) -> None:
    """Each SKU once, as many at a time as inventory takes."""
    skus = [f"S{number:03}" for number in range(150)]
    request = pb.BatchGetProductsRequest(ids=[ID, ID], view=pb.WITH_STOCK)
    async with listening(shelf, Contract.load()) as address, products(address, skus) as service:
        reply = await service.BatchGetProducts(request, None)
    assert sorted(shelf.questions) == [150 - MOST_AT_ONCE, MOST_AT_ONCE]
    assert {figures(product.variants)["S149"] for product in reply.products} == {("IN_STOCK", 1)}
