"""What an installation may set for the payment service, each as ORDERMESH_<NAME>."""

from pydantic import Field, SecretStr

from services.common.settings import ServiceSettings
from services.payment.routing import ANY


class PaymentSettings(ServiceSettings):
    """Durations are in seconds. A gateway whose credentials are not set is off."""

    payment_routes: dict[str, list[str]] = Field(default={ANY: ["sandbox"]})
    """Which gateways take which currency, the preferred first: {"EUR": ["adyen", "stripe"], "*": ["stripe"]}."""

    gateway_patience_seconds: float = Field(default=3.0, gt=0)
    """How long to wait for an answer of the gateway before asking what it did; twice that fits in the deadline of
    AuthorizePayment."""

    breaker_failures: int = Field(default=5, gt=0)
    """A gateway that gave no answer so many times in a row is left alone."""

    breaker_rest_seconds: float = Field(default=10.0, gt=0)
    """For so long; then one call finds out whether it is back."""

    sandbox_hold_days: float = Field(default=7, gt=0)
    """How long the sandbox holds an amount."""

    sandbox_webhook_secret: SecretStr | None = None
    """whsec_ and base64 (Standard Webhooks); without it the sandbox's notifications are off."""

    stripe_api_key: SecretStr | None = None
    """Turns Stripe on; payment_routes says what it gets."""

    stripe_webhook_secret: SecretStr | None = None
    """Verifies what Stripe posts; without it that is refused."""

    stripe_multicapture: bool = False
    """Whether the account may capture a payment several times; by default Stripe takes money of a hold once."""

    stripe_address: str | None = None
    """Another address than Stripe's own, as of its mock."""

    adyen_api_key: SecretStr | None = None
    """Turns Adyen on, together with the account; payment_routes says what it gets."""

    adyen_merchant_account: str = ""
    """The account at Adyen that money goes to."""

    adyen_hmac_key: SecretStr | None = None
    """Verifies what Adyen posts; without it that is refused."""

    adyen_live_prefix: str | None = None
    """Of the live endpoints; without it payments go to Adyen's test platform."""

    adyen_several_captures: bool = True
    """Whether the account has multiple partial captures."""

    adyen_address: str | None = None
    """Another address than Adyen's own, with the version: http://127.0.0.1:8000/v72."""

    leftovers_interval_seconds: float = Field(default=5.0, gt=0)
    """How often to look for payments and operations that a process left behind, and for holds that ran out."""

    leftovers_age_seconds: float = Field(default=15.0, gt=0)
    """How old those are; longer than any living request takes."""

    webhook_interval_seconds: float = Field(default=2.0, gt=0)
    """How often to look for deliveries that another instance took in or that were left for later."""

    webhook_give_up_seconds: float = Field(default=86_400.0, gt=0)
    """How long a delivery may wait for what it is about before somebody has to look at it."""

    webhook_keep_days: float = Field(default=30, gt=0)
    """How long finished deliveries are kept."""

    reconciliation_interval_seconds: float = Field(default=86_400.0, gt=0)
    """How often gateways with an API for it are reconciled with."""

    reconciliation_look_seconds: float = Field(default=300.0, gt=0)
    """How often to look whether that is due."""
