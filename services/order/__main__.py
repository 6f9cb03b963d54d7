"""Wires the order service and runs it."""

from datetime import timedelta
from fractions import Fraction

from mesh import server
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from ordermesh.order.v1 import order_service_pb2_grpc as order_grpc
from ordermesh.payment.v1 import payment_service_pb2_grpc as payment_grpc
from ordermesh.product.v1 import product_service_pb2_grpc as product_grpc
from services.common.clock import now
from services.common.database import Database
from services.common.ids import new_id
from services.order.adapters.catalogue import ProductCatalogue
from services.order.adapters.inventory import InventoryService
from services.order.adapters.payment import PaymentService
from services.order.changes import Changes
from services.order.domain.pricing import FlatRate, FlatRateShipping, RegionalTax, TaxRate
from services.order.drives import Drives
from services.order.placement import Placement
from services.order.rebuild import Rebuilding
from services.order.recovery import Recovery
from services.order.saga import Saga
from services.order.service import OrderService, Rooms
from services.order.settings import OrderSettings
from services.order.store import NoteStore, OrderStore
from services.order.stuck import StuckOrders
from services.order.watching import Watching


async def build(app: server.Application) -> None:
    """Put the service together; every dependency is named here."""
    settings = OrderSettings()
    database = await app.enter(Database.open(settings))
    app.add_check("database", database.ping)

    store = OrderStore(database, timedelta(seconds=settings.lease_seconds))
    catalogue = ProductCatalogue(
        app.client(product_grpc.ProductServiceStub, "ordermesh.product.v1.ProductService", as_service=True)
    )
    inventory = InventoryService(
        app.client(inventory_grpc.InventoryServiceStub, "ordermesh.inventory.v1.InventoryService", as_service=True)
    )
    payment = PaymentService(
        app.client(payment_grpc.PaymentServiceStub, "ordermesh.payment.v1.PaymentService", as_service=True)
    )
    saga = Saga(store, inventory, payment, now, timedelta(seconds=settings.give_up_seconds))
    drives = Drives(saga, store)
    recovery = Recovery(
        saga,
        store,
        interval=timedelta(seconds=settings.recovery_interval_seconds),
        lease=timedelta(seconds=settings.lease_seconds),
    )

    watching = Watching(store, timedelta(seconds=settings.watch_interval_seconds))
    stuck = StuckOrders(
        store, timedelta(seconds=settings.stuck_interval_seconds), timedelta(seconds=settings.stuck_seconds)
    )
    rooms = Rooms(
        placement=Placement(store, catalogue, shipping_of(settings), tax_of(settings), drives, now, new_id),
        changes=Changes(store, drives, now, new_id),
        store=store,
        notes=NoteStore(database),
        rebuilding=Rebuilding(store),
        watching=watching,
        clock=now,
        new_id=new_id,
        default_currency=settings.default_currency,
    )

    app.background("drives", drives.finish)
    app.background("recovery", recovery.run)
    app.background("watching", watching.run)
    app.background("stuck orders", stuck.run)
    app.serve(OrderService(rooms), order_grpc.add_OrderServiceServicer_to_server, "ordermesh.order.v1.OrderService")


def shipping_of(settings: OrderSettings) -> FlatRateShipping:
    """Make the shipping calculator of the settings; another one goes here."""
    return FlatRateShipping(
        {
            region: {currency: FlatRate(rate.amount, rate.free_from) for currency, rate in rates.items()}
            for region, rates in settings.shipping_table.items()
        }
    )


def tax_of(settings: OrderSettings) -> RegionalTax:
    """Make the tax calculator of the settings; another one goes here."""
    return RegionalTax(
        {region: TaxRate(Fraction(tax.rate), tax.included) for region, tax in settings.tax_table.items()}
    )


if __name__ == "__main__":
    server.run("order", build)
