"""All SQL of the order service."""

from services.order.store.notes import NoteStore
from services.order.store.orders import ALWAYS, OrderStore, Period, Stuck

__all__ = ["ALWAYS", "NoteStore", "OrderStore", "Period", "Stuck"]
