"""The service as it is put together from an installation's settings."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from mesh.client import Clients
from mesh.contract import Contract
from mesh.runtime_settings import RuntimeSettings
from mesh.server import Application
from services.common.database import Database
from services.payment import __main__ as payment
from services.payment.gateways import adapters
from services.payment.routing import RouteError
from services.payment.settings import PaymentSettings
from services.payment.store import SandboxAccounts
from tests.integration.postgres import Postgres
from tests.integration.services.payment.adyen_account import HMAC_KEY, MERCHANT

KEYS = {
    "stripe_api_key": "sk_test_x",
    "stripe_webhook_secret": "whsec_x",
    "adyen_api_key": "key",
    "adyen_merchant_account": MERCHANT,
    "adyen_hmac_key": HMAC_KEY,
    "sandbox_webhook_secret": "whsec_eA==",
}


async def test_every_contract_of_payment_is_served_and_its_workers_run(
    database: Database, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every gateway on; they end soon after they are told to."""
    settings = postgres.settings(PaymentSettings, "payment")
    for name in ("service", "port", "metrics_port"):
        monkeypatch.setenv(f"ORDERMESH_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.setenv("ORDERMESH_DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("ORDERMESH_PAYMENT_ROUTES", '{"EUR": ["adyen", "stripe"], "*": ["sandbox"]}')
    for name, value in KEYS.items():
        monkeypatch.setenv(f"ORDERMESH_{name.upper()}", value)
    contract = Contract.load()
    async with AsyncExitStack() as stack:
        app = Application(settings, contract, Clients(contract, ()), RuntimeSettings(settings, lambda _: None), stack)
        await payment.build(app)
        assert set(app.services) == {each for each in contract.services if ".payment." in each}
        stop = asyncio.Event()
        working = asyncio.gather(*(worker(stop) for worker in app.workers.values()))
        while not await database.rows("SELECT FROM reconciliations WHERE gateway = 'sandbox'"):  # noqa: ASYNC110 - SQL
            await asyncio.sleep(0.05)
        stop.set()
        await working


async def test_a_gateway_without_credentials_is_off(database: Database, postgres: Postgres) -> None:
    """Also its webhooks, and no currency can be routed to it."""
    off = adapters(postgres.settings(PaymentSettings, "payment"), SandboxAccounts(database))
    assert (set(off.gateways), set(off.notifications)) == ({"sandbox"}, set())
    with pytest.raises(RouteError):
        off.routed(postgres.settings(PaymentSettings, "payment", payment_routes={"*": ["stripe"]}))
    async with adapters(postgres.settings(PaymentSettings, "payment", **KEYS), SandboxAccounts(database)) as on:
        assert set(on.gateways) == set(on.notifications) == set(on.books) == {"sandbox", "stripe", "adyen"}
