"""The gateways that an installation has credentials for. The libraries of the others are never loaded."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from services.payment.adapters.books import AdyenBooks, SandboxBooks, StripeBooks
from services.payment.adapters.gateway import Gateway, Notifications, Settlements
from services.payment.adapters.sandbox import NAME as SANDBOX
from services.payment.adapters.sandbox import Sandbox
from services.payment.adapters.standard_webhooks import SandboxNotifications
from services.payment.breaker import Breaker, Guarded
from services.payment.routing import Gateways
from services.payment.settings import PaymentSettings
from services.payment.store import SandboxAccounts


@dataclass(slots=True)
class Adapters:
    """What is set up, by the gateway's name."""

    gateways: dict[str, Gateway] = field(default_factory=dict)
    notifications: dict[str, Notifications] = field(default_factory=dict)
    books: dict[str, Settlements] = field(default_factory=dict)

    def routed(self, settings: PaymentSettings) -> Gateways:
        """Put each behind a breaker of its own."""
        rest, patience = timedelta(seconds=settings.breaker_rest_seconds), _patience(settings)
        guarded = {
            name: Guarded(gateway, Breaker(settings.breaker_failures, rest), patience)
            for name, gateway in self.gateways.items()
        }
        return Gateways(guarded, settings.payment_routes)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for gateway in self.gateways.values():
            await gateway.close()


def adapters(settings: PaymentSettings, accounts: SandboxAccounts) -> Adapters:
    """Set up what there are credentials for."""
    found = Adapters()
    found.gateways[SANDBOX] = Sandbox(accounts, timedelta(days=settings.sandbox_hold_days))
    found.books[SANDBOX] = SandboxBooks(accounts)
    if settings.sandbox_webhook_secret:
        found.notifications[SANDBOX] = SandboxNotifications(settings.sandbox_webhook_secret.get_secret_value())
    if settings.stripe_api_key:
        _add_stripe(found, settings, settings.stripe_api_key.get_secret_value())
    if settings.adyen_api_key:
        _add_adyen(found, settings, settings.adyen_api_key.get_secret_value())
    return found


def _add_stripe(found: Adapters, settings: PaymentSettings, api_key: str) -> None:
    from services.payment.adapters import stripe  # noqa: PLC0415 - half a second and 20 MB, for who uses it

    gateway = stripe.Stripe(
        api_key,
        multicapture=settings.stripe_multicapture,
        address=settings.stripe_address,
        timeout=_patience(settings),
    )
    found.gateways[gateway.name] = gateway
    found.books[gateway.name] = StripeBooks(gateway)
    if settings.stripe_webhook_secret:
        secret = settings.stripe_webhook_secret.get_secret_value()
        found.notifications[gateway.name] = stripe.StripeNotifications(secret)


def _add_adyen(found: Adapters, settings: PaymentSettings, api_key: str) -> None:
    from services.payment.adapters import adyen  # noqa: PLC0415 - as above

    gateway = adyen.AdyenGateway(
        api_key,
        settings.adyen_merchant_account,
        live_prefix=settings.adyen_live_prefix,
        several_captures=settings.adyen_several_captures,
        address=settings.adyen_address,
        timeout=_patience(settings),
    )
    found.gateways[gateway.name] = gateway
    found.books[gateway.name] = AdyenBooks()
    if settings.adyen_hmac_key:
        found.notifications[gateway.name] = adyen.AdyenNotifications(settings.adyen_hmac_key.get_secret_value())


def _patience(settings: PaymentSettings) -> timedelta:
    return timedelta(seconds=settings.gateway_patience_seconds)
