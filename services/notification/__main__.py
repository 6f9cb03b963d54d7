"""Wires the notification service and runs it."""

from datetime import timedelta

from mesh import server
from ordermesh.auth.v1 import account_service_pb2_grpc as account_grpc
from ordermesh.auth.v1 import auth_service_pb2_grpc as auth_grpc
from ordermesh.notification.v1 import notification_service_pb2_grpc as notification_grpc
from services.common.clock import now
from services.common.consumer import Consumer
from services.common.database import Database
from services.notification.adapters.accounts import Accounts
from services.notification.adapters.smtp import MailServer
from services.notification.causes import TOLD, Causes
from services.notification.delivery import Deliveries, Delivery
from services.notification.domain import RetryPlan
from services.notification.rendering import Writer
from services.notification.service import NotificationService
from services.notification.settings import NotificationSettings
from services.notification.store import NotificationStore

GROUP = "notification"


async def build(app: server.Application) -> None:
    """Put the service together; every dependency is named here."""
    settings = NotificationSettings()
    database = await app.enter(Database.open(settings))
    app.add_check("database", database.ping)

    store = NotificationStore(database)
    delivery = Delivery(
        store,
        Accounts(
            app.client(auth_grpc.AuthServiceStub, "ordermesh.auth.v1.AuthService", as_service=True),
            app.client(account_grpc.AccountMailServiceStub, "ordermesh.auth.v1.AccountMailService", as_service=True),
        ),
        MailServer(settings.smtp_host, settings.smtp_port, settings.smtp_timeout_seconds),
        writer=Writer(settings.smtp_from, settings.web_url),
        clock=now,
        plan=RetryPlan(
            settings.delivery_attempts,
            timedelta(seconds=settings.delivery_first_pause_seconds),
            timedelta(seconds=settings.delivery_longest_pause_seconds),
        ),
    )
    deliveries = Deliveries(
        delivery,
        store,
        interval=timedelta(seconds=settings.delivery_interval_seconds),
        lease=timedelta(seconds=settings.delivery_lease_seconds),
    )
    consumer = Consumer(
        settings,
        GROUP,
        settings.kafka_topics,
        Causes(store, now).handle,
        database,
        committed=deliveries.wake,
        acts_on=TOLD,
    )

    app.background("consumer", consumer.run)
    app.background("deliveries", deliveries.run)
    app.serve(
        NotificationService(store),
        notification_grpc.add_NotificationServiceServicer_to_server,
        "ordermesh.notification.v1.NotificationService",
    )


if __name__ == "__main__":
    server.run("notification", build)
