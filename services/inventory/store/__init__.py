"""All SQL of the inventory service.

Transactions that change stock take locks in one order, so that no two wait for each other in a circle: the request id,
the order's own new reservation, levels by (SKU, warehouse), reservations by id, items by SKU. An allocation changes
only under the locks of its level and of its reservation.
"""

from datetime import timedelta

from services.common.database import Database
from services.inventory.domain.sourcing import Strategy
from services.inventory.store.ledger import Remark, Request
from services.inventory.store.reservations import AskedLine, ReservationStore
from services.inventory.store.stock import StockStore
from services.inventory.store.warehouses import Details, WarehouseStore

__all__ = ["AskedLine", "Details", "InventoryStore", "Remark", "Request"]


class InventoryStore(WarehouseStore, StockStore, ReservationStore):
    """Warehouses, levels with their ledger, and reservations."""

    def __init__(self, database: Database, reservation_ttl: timedelta, sourcing: Strategy = Strategy.PRIORITY) -> None:
        """`reservation_ttl`: how long a reservation is left alone; `sourcing`: where its units come from."""
        WarehouseStore.__init__(self, database)
        StockStore.__init__(self, database)
        ReservationStore.__init__(self, database, reservation_ttl, sourcing)
