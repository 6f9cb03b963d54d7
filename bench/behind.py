"""What stands behind the edge while it is measured: services that answer at once, or that are busy for a while.

Run as `python -m bench.behind PORT IDENTITY KEY` it serves with the certificate of an identity folder and tells auth's
public key, JSON, until its input ends.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from mesh.certificates import Files
from ordermesh.auth.v1 import auth_pb2, auth_service_pb2
from ordermesh.inventory.v1 import inventory_pb2, inventory_service_pb2
from ordermesh.order.v1 import order_pb2, order_service_pb2
from ordermesh.product.v1 import product_pb2, product_service_pb2
from tests.integration.gateway.backend import Backend

BUSY = "busy"
# A call of which most is waiting, for a database say, and some is work, of which only one is done at a time: so much
# that it is the service which is full at four times its load, and not the machine.
BUSY_WORK_S, BUSY_WAIT_S = 0.010, 0.15
LINES = 5


class Behind(Backend):
    """Answers with as little work as can be, so that the edge's share shows."""

    def __init__(self, port: int, member: Files, key: dict[str, str]) -> None:
        """`key` is the public half of what the bench signs tokens with."""
        super().__init__(port, member)
        self._keys = auth_service_pb2.JsonWebKeySet(keys=[auth_pb2.JsonWebKey(**key)])
        lines = [order_pb2.OrderLine(sku=f"SKU-{number}", quantity=number) for number in range(LINES)]
        self._order = order_pb2.Order(id="7", lines=lines)
        self._product = product_pb2.Product(id="7", name="lamp", description="d" * 300)

    async def GetJsonWebKeySet(self, _request: Any, _context: Any) -> auth_service_pb2.JsonWebKeySet:  # noqa: ANN401, N802
        """Tell the key."""
        return self._keys

    async def GetStock(self, request: inventory_service_pb2.GetStockRequest, _context: Any) -> inventory_pb2.Stock:  # noqa: ANN401, N802
        """Have none."""
        return inventory_pb2.Stock(sku=request.sku)

    async def GetProduct(  # noqa: N802
        self,
        _request: product_service_pb2.GetProductRequest,
        _context: Any,  # noqa: ANN401
    ) -> product_pb2.Product:
        """Have one."""
        return self._product

    async def GetOrder(self, request: order_service_pb2.GetOrderRequest, _context: Any) -> order_pb2.Order:  # noqa: ANN401, N802
        """Find it at once, or after some work and some waiting."""
        if request.id == BUSY:
            until = time.thread_time() + BUSY_WORK_S
            while time.thread_time() < until:
                pass
            await asyncio.sleep(BUSY_WAIT_S)
        return self._order


async def serve(port: int, member: Files, key: dict[str, str]) -> None:
    """Answer until standard input is closed."""
    behind = Behind(port, member, key)  # type: ignore[abstract] # what it leaves out is UNIMPLEMENTED
    await behind.start()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await behind.stop()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), Files(Path(sys.argv[2])), json.loads(sys.argv[3])))
