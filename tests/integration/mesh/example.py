"""A service of the mesh as a process of its own, for the tests to stop: argument is the folder they talk through.

It is healthy while the folder has a file `healthy`. `slow-<seconds>` is a SKU whose stock takes that long to tell. Its
worker fails at first and says in `worker` what it does.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from mesh import server
from mesh.runtime_settings import Flag
from mesh.telemetry import get_logger
from ordermesh.inventory.v1 import inventory_pb2
from ordermesh.inventory.v1 import inventory_service_pb2 as pb
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from tests.integration.mesh.warehouse import SERVICE

FOLDER = Path(sys.argv[-1])


class Stock(inventory_grpc.InventoryServiceServicer):
    """Tells the stock of any SKU."""

    warehouse: Flag[str]

    async def GetStock(self, request: Any, _: object) -> Any:  # noqa: ANN401, N802 - gRPC's own
        """Take as long as the SKU says."""
        kind, _, seconds = request.sku.partition("-")
        if kind == "slow":
            (FOLDER / "asked").touch()
            await asyncio.sleep(float(seconds))
        get_logger("example").debug("looked", sku=request.sku)
        return inventory_pb2.Stock(sku=request.sku, levels=[inventory_pb2.StockLevel(warehouse_code=self.warehouse())])

    async def WatchStock(self, _: object, __: object) -> AsyncIterator[pb.WatchStockResponse]:  # noqa: N802 - gRPC's own
        """Answer once, and stay."""
        yield pb.WatchStockResponse()
        await asyncio.Event().wait()


async def healthy() -> None:
    """Fail unless the file is there."""
    (FOLDER / "healthy").read_text()


async def work(stop: asyncio.Event) -> None:
    """Fail the first time, then wait for the end."""
    story = FOLDER / "worker"
    told = story.read_text() if story.exists() else ""
    story.write_text(f"{told}begun ")
    if not told:
        raise RuntimeError("the first time")
    await stop.wait()
    story.write_text(f"{story.read_text()}finished")


async def build(app: server.Application) -> None:
    """Put it together."""
    Stock.warehouse = app.flag("warehouse", "main")
    app.add_check("file", healthy)
    app.background("work", work)
    servicer: Any = Stock()  # type: ignore[abstract] # Nobody asks for the other methods.
    app.serve(servicer, inventory_grpc.add_InventoryServiceServicer_to_server, SERVICE)


if __name__ == "__main__":
    server.run("inventory", build)
