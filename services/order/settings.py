"""What an installation may set for the order service, each as ORDERMESH_<NAME>."""

from decimal import Decimal

from pydantic import BaseModel, Field

from services.common.settings import ServiceSettings


class ShippingRate(BaseModel):
    """What shipping costs in one currency, in minor units; nothing from so many minor units of goods on."""

    amount: int = Field(ge=0)
    free_from: int | None = Field(default=None, ge=0)


class RegionTax(BaseModel):
    """The tax of a region, such as 0.19, and whether prices include it."""

    rate: Decimal = Field(ge=0, le=1)
    included: bool


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

    stuck_seconds: float = Field(default=300.0, gt=0)
    """How long an order may be on its way before it counts as stuck."""

    stuck_interval_seconds: float = Field(default=15.0, gt=0)
    """How often stuck orders are counted."""

    watch_interval_seconds: float = Field(default=0.25, gt=0)
    """How often watched orders are looked at."""

    shipping_table: dict[str, dict[str, ShippingRate]] = Field(default_factory=dict)
    """JSON: CLDR region code, or "*" for all others, to ISO 4217 code to rate. What has none is sent for nothing."""

    tax_table: dict[str, RegionTax] = Field(default_factory=dict)
    """JSON: CLDR region code, or "*" for all others, to tax. Where there is none, no tax is computed."""
