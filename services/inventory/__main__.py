"""Wires the inventory service and runs it."""

from datetime import timedelta

from mesh import server
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from services.common.database import Database
from services.inventory.service import InventoryService
from services.inventory.settings import InventorySettings
from services.inventory.store import InventoryStore


async def build(app: server.Application) -> None:
    """Put the service together; every dependency is named here."""
    settings = InventorySettings()
    database = await app.enter(Database.open(settings))
    app.add_check("database", database.ping)
    app.serve(
        InventoryService(InventoryStore(database, timedelta(seconds=settings.reservation_ttl_seconds))),
        inventory_grpc.add_InventoryServiceServicer_to_server,
        "ordermesh.inventory.v1.InventoryService",
    )


if __name__ == "__main__":
    server.run("inventory", build)
