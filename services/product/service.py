"""The gRPC servicer: turns the contract's messages into what the product service does, and back."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ordermesh.product.v1 import product_pb2, product_service_pb2_grpc
from ordermesh.product.v1 import product_service_pb2 as pb
from services.common import paging
from services.common.protobuf import money_from_proto, money_to_proto
from services.product import search
from services.product.domain import PricedVariant, Product, Stock, Variant
from services.product.events import product_to_proto
from services.product.store import ProductStore


class Stocks(Protocol):
    """Knows what is in stock."""

    async def of(self, skus: Iterable[str]) -> Mapping[str, Stock]:
        """Tell the stock of SKUs; those that are missing in the answer are unknown."""


class ProductService(product_service_pb2_grpc.ProductServiceServicer):
    """Shapes are checked by the contract before a method here is entered."""

    def __init__(
        self, store: ProductStore, stocks: Stocks, clock: Callable[[], datetime], new_id: Callable[[], str]
    ) -> None:
        """Everything from outside comes in here."""
        self._store = store
        self._stocks = stocks
        self._clock = clock
        self._new_id = new_id

    async def CreateProduct(self, request: pb.CreateProductRequest, _: object) -> product_pb2.Product:
        """Create a product; see the contract."""
        now = self._clock()
        product = Product(
            id=self._new_id(),
            name=request.name,
            description=request.description,
            category=request.category,
            variants=tuple(
                _variant(variant, f"variants[{position}]") for position, variant in enumerate(request.variants)
            ),
            version=1,
            create_time=now,
            update_time=now,
        )
        await self._store.add(product)
        return product_to_proto(product)

    async def GetProduct(self, request: pb.GetProductRequest, _: object) -> product_pb2.Product:
        """Give a product; see the contract."""
        (product,) = await self._store.get([request.id], field="id")
        return (await self._shown([product], request.view))[0]

    async def BatchGetProducts(self, request: pb.BatchGetProductsRequest, _: object) -> pb.BatchGetProductsResponse:
        """Give several products; see the contract."""
        found = await self._store.get(request.ids)
        return pb.BatchGetProductsResponse(products=await self._shown(found, request.view))

    async def ListProducts(self, request: pb.ListProductsRequest, _: object) -> pb.ListProductsResponse:
        """Give a page of products; see the contract."""
        filters = {"query": request.query, "category": request.category}
        size = paging.page_size(request.page_size)
        after = paging.decode(request.page_token, filters)
        category = request.category or None
        if request.query:
            found = await self._store.best(search.read(request.query), category, after, size + 1)
        else:
            found = await self._store.newest(category, after, size + 1)
        reply = pb.ListProductsResponse(products=[product_to_proto(product) for product, _ in found[:size]])
        if len(found) > size:
            reply.next_page_token = paging.encode(found[size - 1][1], filters)
        return reply

    async def BatchGetPrices(self, request: pb.BatchGetPricesRequest, _: object) -> pb.BatchGetPricesResponse:
        """Give present prices; see the contract."""
        found = await self._store.prices(request.skus, request.currency_code)
        return pb.BatchGetPricesResponse(variants=[_priced_to_proto(variant) for variant in found])

    async def _shown(self, products: Sequence[Product], view: pb.ProductView.ValueType) -> list[product_pb2.Product]:
        messages = [product_to_proto(product) for product in products]
        if view == pb.WITH_STOCK:
            variants = [variant for message in messages for variant in message.variants]
            stocks = await self._stocks.of(variant.sku for variant in variants)
            for variant in variants:
                _add_stock(variant, stocks.get(variant.sku))
        return messages


def _add_stock(variant: product_pb2.Variant, stock: Stock | None) -> None:
    if stock is None:
        variant.availability = product_pb2.Variant.UNKNOWN
        return
    variant.availability = product_pb2.Variant.Availability.Value(stock.availability)
    variant.available = stock.available


def _variant(message: product_pb2.Variant, field: str) -> Variant:
    prices = tuple(
        money_from_proto(price, f"{field}.prices[{position}]") for position, price in enumerate(message.prices)
    )
    return Variant(message.sku, message.name, dict(message.attributes), prices)


def _priced_to_proto(variant: PricedVariant) -> pb.PricedVariant:
    return pb.PricedVariant(
        sku=variant.sku, product_id=variant.product_id, name=variant.name, price=money_to_proto(variant.price)
    )
