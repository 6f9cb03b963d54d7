"""What people write down about an order. A note never changes, and the order does not change by it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Note:
    """A note, for staff only unless it is `customer_visible`. `author`: `user:<id>` or `service:<name>`."""

    id: str
    order_id: str
    text: str
    customer_visible: bool
    author: str
    create_time: datetime
