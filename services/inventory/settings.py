"""What an installation may set for the inventory service, each as ORDERMESH_<NAME>."""

from pydantic import Field

from services.common.settings import ServiceSettings
from services.inventory.domain.sourcing import Strategy


class InventorySettings(ServiceSettings):
    """Durations are in seconds."""

    sourcing: Strategy = Strategy.PRIORITY
    """Where the units of an order come from: priority, nearest or fewest_splits (docs/inventory.md)."""

    reservation_ttl_seconds: float = Field(default=86_400.0, gt=0)
    """How long stock is held before inventory asks what became of the order, and how much longer while it is not yet
    decided."""

    expiry_interval_seconds: float = Field(default=5.0, gt=0)
    """How often the expiry worker looks for reservations past their time."""

    expiry_lease_seconds: float = Field(default=60.0, gt=0)
    """How long other workers leave a reservation alone that one of them asks about."""

    watch_interval_seconds: float = Field(default=0.5, gt=0)
    """How often stock that somebody watches is read."""
