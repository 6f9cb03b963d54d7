"""What is in stock, by the inventory service. A product is shown without it when inventory doesn't answer."""

import asyncio
import itertools
from collections.abc import Iterable, Mapping

from mesh.fallback import fallback
from ordermesh.inventory.v1 import inventory_service_pb2 as inventory
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from services.product.domain import Stock

PATIENCE_SECONDS = 0.5
"""A page that waits longer is worse than one without figures."""

MOST_AT_ONCE = 100
"""SKUs in one question, by inventory's contract."""


class InventoryService:
    """The inventory service as a service.Stocks."""

    def __init__(self, stub: inventory_grpc.InventoryServiceStub) -> None:
        """`stub` acts for this service: stock is nobody's secret."""
        self._stub = stub

    async def of(self, skus: Iterable[str]) -> Mapping[str, Stock]:
        """Tell the stock of SKUs; those that are missing in the answer are unknown."""
        wanted = sorted(set(skus))
        parts = [wanted[at : at + MOST_AT_ONCE] for at in range(0, len(wanted), MOST_AT_ONCE)]
        found = await asyncio.gather(*(fallback(self._ask(part), {}, what="stock of products") for part in parts))
        return dict(itertools.chain.from_iterable(each.items() for each in found))

    async def _ask(self, skus: list[str]) -> dict[str, Stock]:
        reply = await self._stub.BatchGetStock(inventory.BatchGetStockRequest(skus=skus), timeout=PATIENCE_SECONDS)
        return {each.sku: Stock(each.available, each.backorderable) for each in reply.stocks}
