"""Events as they were published, without what tells who a customer is or where they live."""

from typing import Any

from google.protobuf import symbol_database
from google.type import postal_address_pb2

from ordermesh.order.v1 import order_events_pb2

ERASED = "(erased)"
"""What stands where somebody wrote something."""

_SYMBOLS = symbol_database.Default()


def redacted(type_: str, payload: bytes) -> bytes:
    """Return the event with the address reduced to its region, which taxes go by, and a note without its text."""
    message: Any = _SYMBOLS.GetSymbol(type_).FromString(payload)
    if type_ == order_events_pb2.OrderNoteCreated.DESCRIPTOR.full_name:
        message.note.text = ERASED
    else:
        region = message.order.shipping_address.region_code
        message.order.shipping_address.CopyFrom(postal_address_pb2.PostalAddress(region_code=region))
    payload_: bytes = message.SerializeToString(deterministic=True)
    return payload_
