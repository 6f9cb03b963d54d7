"""The gRPC servicer: turns the contract's messages into what the order service does, and back."""

from services.order.service.base import Rooms
from services.order.service.fulfilment import Fulfilling
from services.order.service.history import Telling
from services.order.service.orders import Ordering
from services.order.service.returns import Returning

__all__ = ["OrderService", "Rooms"]


class OrderService(Ordering, Fulfilling, Returning, Telling):
    """Shapes are checked by the contract before a method is entered; ownership is checked in it."""
