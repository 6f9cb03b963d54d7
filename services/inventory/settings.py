"""What an installation may set for the inventory service, each as ORDERMESH_<NAME>."""

from pydantic import Field

from services.common.settings import ServiceSettings


class InventorySettings(ServiceSettings):
    """Durations are in seconds."""

    reservation_ttl_seconds: float = Field(default=86_400.0, gt=0)
    """How long stock is held for an order that is neither shipped nor cancelled."""
