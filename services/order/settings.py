"""What an installation may set for the order service, each as ORDERMESH_<NAME>."""

from pydantic import Field

from services.common.settings import ServiceSettings


class OrderSettings(ServiceSettings):
    """Durations are in seconds."""

    default_currency: str = Field(default="EUR", pattern="^[A-Z]{3}$")
    """ISO 4217 code for orders that name none."""

    lease_seconds: float = Field(default=20.0, gt=0)
    """How long an unsettled order is left to its driver before the recovery worker takes it; above CreateOrder's
    deadline, so that a living driver is not raced."""

    recovery_interval_seconds: float = Field(default=1.0, gt=0)
    """How often the recovery worker looks for orders."""

    give_up_seconds: float = Field(default=600.0, gt=0)
    """How old a PENDING order may get before it is rejected and everything held for it given back."""
