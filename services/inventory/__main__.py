"""Wires the inventory service and runs it."""

from datetime import timedelta

from mesh import server
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from ordermesh.order.v1 import order_service_pb2_grpc as order_grpc
from services.common.database import Database
from services.inventory.adapters.orders import OrderService
from services.inventory.expiry import Expiry
from services.inventory.service import InventoryService
from services.inventory.settings import InventorySettings
from services.inventory.store import InventoryStore
from services.inventory.watching import Watch


async def build(app: server.Application) -> None:
    """Put the service together; every dependency is named here."""
    settings = InventorySettings()
    database = await app.enter(Database.open(settings))
    app.add_check("database", database.ping)

    ttl = timedelta(seconds=settings.reservation_ttl_seconds)
    store = InventoryStore(database, ttl, settings.sourcing)
    orders = OrderService(app.client(order_grpc.OrderServiceStub, "ordermesh.order.v1.OrderService", as_service=True))
    expiry = Expiry(
        store,
        orders,
        ttl,
        interval=timedelta(seconds=settings.expiry_interval_seconds),
        lease=timedelta(seconds=settings.expiry_lease_seconds),
    )
    watch = Watch(store, timedelta(seconds=settings.watch_interval_seconds))

    app.background("expiry", expiry.run)
    app.background("watch", watch.run)
    app.serve(
        InventoryService(store, watch),
        inventory_grpc.add_InventoryServiceServicer_to_server,
        "ordermesh.inventory.v1.InventoryService",
    )


if __name__ == "__main__":
    server.run("inventory", build)
