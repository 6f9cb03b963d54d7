"""Wires the product service and runs it."""

from mesh import server
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from ordermesh.product.v1 import product_service_pb2_grpc as product_grpc
from services.common.clock import now
from services.common.database import Database
from services.common.ids import new_id
from services.product.adapters.stock import InventoryService
from services.product.service import ProductService
from services.product.settings import ProductSettings
from services.product.store import ProductStore


async def build(app: server.Application) -> None:
    """Put the service together; every dependency is named here."""
    database = await app.enter(Database.open(ProductSettings()))
    app.add_check("database", database.ping)
    stocks = InventoryService(
        app.client(inventory_grpc.InventoryServiceStub, "ordermesh.inventory.v1.InventoryService", as_service=True)
    )
    app.serve(
        ProductService(ProductStore(database), stocks, now, new_id),
        product_grpc.add_ProductServiceServicer_to_server,
        "ordermesh.product.v1.ProductService",
    )


if __name__ == "__main__":
    server.run("product", build)
