"""Names and prices, from the product service."""

from collections.abc import Sequence

from mesh import errors
from ordermesh.product.v1 import product_service_pb2 as product
from ordermesh.product.v1 import product_service_pb2_grpc as product_grpc
from services.common.protobuf import money_from_proto
from services.order.domain.errors import UnknownSku
from services.order.domain.order import Line


class ProductCatalogue:
    """The product service as a placement.Catalogue."""

    def __init__(self, stub: product_grpc.ProductServiceStub) -> None:
        """`stub` acts for this service, not for the customer."""
        self._stub = stub

    async def lines(self, wanted: Sequence[tuple[str, int]], currency_code: str) -> tuple[Line, ...]:
        """Price the wanted (SKU, quantity) pairs as of now. Raises UnknownSku."""
        skus = [sku for sku, _ in wanted]
        request = product.BatchGetPricesRequest(skus=skus, currency_code=currency_code)
        try:
            reply = await self._stub.BatchGetPrices(request)
        except errors.NotFound as missing:
            # The reply names positions of its own request, and those are ours: lines and SKUs go in the same order.
            unknown = [index for index, sku in enumerate(skus) if _names(missing, index, sku)]
            raise UnknownSku(unknown or list(range(len(skus))), currency_code) from missing
        return tuple(
            Line(priced.sku, quantity, priced.product_id, priced.name, money_from_proto(priced.price))
            for priced, (_, quantity) in zip(reply.variants, wanted, strict=True)
        )


def _names(missing: errors.NotFound, index: int, sku: str) -> bool:
    return any(violation.field == f"skus[{index}]" for violation in missing.violations) or sku in missing.metadata.get(
        "skus", ""
    ).split(",")
