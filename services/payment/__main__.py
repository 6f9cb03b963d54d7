"""Wires the payment service and runs it."""

from datetime import UTC, datetime, timedelta

from mesh import server
from ordermesh.payment.v1 import payment_service_pb2_grpc as payment_grpc
from services.common.database import Database
from services.common.ids import new_id
from services.payment.adapters.sandbox import Sandbox
from services.payment.cashier import Cashier, Leftovers
from services.payment.service import PaymentService
from services.payment.settings import PaymentSettings
from services.payment.store import PaymentStore, SandboxAccounts


def now() -> datetime:
    """Return the time in UTC; PostgreSQL keeps its microseconds."""
    return datetime.now(UTC)


async def build(app: server.Application) -> None:
    """Put the service together; every dependency is named here."""
    settings = PaymentSettings()
    database = await app.enter(Database.open(settings))
    app.add_check("database", database.ping)

    store = PaymentStore(database)
    gateway = Sandbox(SandboxAccounts(database))
    cashier = Cashier(store, gateway, now, new_id, timedelta(seconds=settings.gateway_patience_seconds))
    leftovers = Leftovers(
        cashier,
        interval=timedelta(seconds=settings.leftovers_interval_seconds),
        older_than=timedelta(seconds=settings.leftovers_age_seconds),
    )

    app.background("leftovers", leftovers.run)
    app.serve(
        PaymentService(cashier, store),
        payment_grpc.add_PaymentServiceServicer_to_server,
        "ordermesh.payment.v1.PaymentService",
    )


if __name__ == "__main__":
    server.run("payment", build)
