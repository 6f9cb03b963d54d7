"""The gRPC servicer: turns the contract's messages into what the product service does, and back."""

from collections.abc import Callable
from datetime import datetime

from ordermesh.product.v1 import product_pb2, product_service_pb2_grpc
from ordermesh.product.v1 import product_service_pb2 as pb
from services.common import paging
from services.common.protobuf import money_from_proto, money_to_proto
from services.product import search
from services.product.domain import PricedVariant, Product, Variant
from services.product.events import product_to_proto
from services.product.store import ProductStore


class ProductService(product_service_pb2_grpc.ProductServiceServicer):
    """Shapes are checked by the contract before a method here is entered."""

    def __init__(self, store: ProductStore, clock: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        """Everything from outside comes in here."""
        self._store = store
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
        return product_to_proto(product)

    async def BatchGetProducts(self, request: pb.BatchGetProductsRequest, _: object) -> pb.BatchGetProductsResponse:
        """Give several products; see the contract."""
        found = await self._store.get(request.ids)
        return pb.BatchGetProductsResponse(products=[product_to_proto(product) for product in found])

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


def _variant(message: product_pb2.Variant, field: str) -> Variant:
    prices = tuple(
        money_from_proto(price, f"{field}.prices[{position}]") for position, price in enumerate(message.prices)
    )
    return Variant(message.sku, message.name, dict(message.attributes), prices)


def _priced_to_proto(variant: PricedVariant) -> pb.PricedVariant:
    return pb.PricedVariant(
        sku=variant.sku, product_id=variant.product_id, name=variant.name, price=money_to_proto(variant.price)
    )
