"""What an installation may set for the payment service, each as ORDERMESH_<NAME>."""

from pydantic import Field

from services.common.settings import ServiceSettings


class PaymentSettings(ServiceSettings):
    """Durations are in seconds."""

    gateway_patience_seconds: float = Field(default=3.0, gt=0)
    """How long to wait for an answer of the gateway before asking what it did; twice that fits in the deadline of
    AuthorizePayment."""

    leftovers_interval_seconds: float = Field(default=5.0, gt=0)
    """How often to look for payments and operations that a process left behind."""

    leftovers_age_seconds: float = Field(default=15.0, gt=0)
    """How old those are; longer than any living request takes."""
