"""Wires the payment service and runs it."""

from datetime import timedelta
from functools import partial

from mesh import server
from ordermesh.payment.v1 import dispute_service_pb2_grpc as dispute_grpc
from ordermesh.payment.v1 import payment_service_pb2_grpc as payment_grpc
from ordermesh.payment.v1 import reconciliation_service_pb2_grpc as reconciliation_grpc
from ordermesh.payment.v1 import webhook_service_pb2_grpc as webhook_grpc
from services.common.clock import now
from services.common.database import Database
from services.common.ids import new_id
from services.payment.cashier import Cashier
from services.payment.gateways import Adapters, adapters
from services.payment.leftovers import Leftovers
from services.payment.movements import Movements
from services.payment.notified import Bookkeeper
from services.payment.reconciliation import Reconciler
from services.payment.service import DisputeService, PaymentService, ReconciliationService, WebhookService
from services.payment.settings import PaymentSettings
from services.payment.store import PaymentStore, SandboxAccounts, SettlementStore, WebhookStore
from services.payment.webhooks import Webhooks

PACKAGE = "ordermesh.payment.v1"


async def build(app: server.Application) -> None:
    """Put the service together; every dependency is named here."""
    settings = PaymentSettings()
    database = await app.enter(Database.open(settings))
    app.add_check("database", database.ping)
    adapted = adapters(settings, SandboxAccounts(database))
    await app.enter(adapted)

    _serve_payments(app, settings, database, adapted)
    _serve_settlements(app, settings, database, adapted)


def _serve_payments(app: server.Application, settings: PaymentSettings, database: Database, adapted: Adapters) -> None:
    store, gateways = PaymentStore(database), adapted.routed(settings)
    movements = Movements(store, gateways, now)
    cashier = Cashier(store, gateways, movements, now, new_id, timedelta(seconds=settings.gateway_patience_seconds))
    leftovers = Leftovers(store, cashier, movements, now)
    webhooks = Webhooks(
        WebhookStore(database),
        adapted.notifications,
        Bookkeeper(store, cashier, gateways, now, new_id),
        now,
        timedelta(seconds=settings.webhook_give_up_seconds),
    )
    app.background(
        "leftovers",
        partial(
            leftovers.run,
            interval=timedelta(seconds=settings.leftovers_interval_seconds),
            older_than=timedelta(seconds=settings.leftovers_age_seconds),
        ),
    )
    app.background(
        "webhooks",
        partial(
            webhooks.run,
            interval=timedelta(seconds=settings.webhook_interval_seconds),
            keep=timedelta(days=settings.webhook_keep_days),
        ),
    )
    app.serve(
        PaymentService(cashier, movements, store),
        payment_grpc.add_PaymentServiceServicer_to_server,
        f"{PACKAGE}.PaymentService",
    )
    app.serve(DisputeService(store), dispute_grpc.add_DisputeServiceServicer_to_server, f"{PACKAGE}.DisputeService")
    app.serve(
        WebhookService(webhooks, WebhookStore(database)),
        webhook_grpc.add_WebhookServiceServicer_to_server,
        f"{PACKAGE}.WebhookService",
    )


def _serve_settlements(
    app: server.Application, settings: PaymentSettings, database: Database, adapted: Adapters
) -> None:
    store = SettlementStore(database)
    reconciler = Reconciler(store, adapted.books, now)
    app.background(
        "reconciliation",
        partial(
            reconciler.run,
            interval=timedelta(seconds=settings.reconciliation_interval_seconds),
            look_every=timedelta(seconds=settings.reconciliation_look_seconds),
        ),
    )
    app.serve(
        ReconciliationService(reconciler, store),
        reconciliation_grpc.add_ReconciliationServiceServicer_to_server,
        f"{PACKAGE}.ReconciliationService",
    )


if __name__ == "__main__":
    server.run("payment", build)
