"""An example of every request, made from its contract: what has to be given, and what a first reader would also try.

The values are those of the demonstration shop; tests hold each example against the rules of its contract.
"""

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.envoy import Json
from gateway.schemas import is_required, rules_of

# What a field of this name is filled with, wherever it is, or in the message named.
VALUES: Json = {
    "sku": "LAMP-HEAD-400",
    "skus": ["LAMP-HEAD-400"],
    "quantity": 1,
    "email": "ann@example.com",
    "password": "correct horse battery",
    "new_password": "battery staple horse",
    "display_name": "Ann",
    "payment_token": "tok_visa",
    "currency_code": "EUR",
    "carrier": "dhl",
    "tracking_number": "00340434161094015902",
    "gateway": "sandbox",
    "code": "berlin",
    "text": "Please ring twice.",
    "query": "lamp",
    "name": "Desk lamp",
    "CreateRoleRequest.name": "packer",
    "GetRoleRequest.name": "packer",
    "UpdateRoleRequest.name": "packer",
    "DeleteRoleRequest.name": "packer",
    "permissions": ["orders.read"],
    "reason": "one is enough",
    "note": "paid twice, sent back",
    "prices": [{"currencyCode": "EUR", "units": "19", "nanos": 990000000}],
    "warehouse_code": "main",
    "from_warehouse_code": "main",
    "to_warehouse_code": "berlin",
    "page_size": 20,
}
# Fields that an example has although nobody has to give them; conditions are no first reader's business.
ALSO = {"reason", "note", "quantity", "variants", "prices", "sku", "carrier", "tracking_number", "permissions"}
# JSON has 64 bits in quotes.
IN_QUOTES = (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)
UUID = "0190f0a4-7c1e-7000-8000-000000000001"
REQUEST_ID = "the-first-of-two"
MOMENT = "2026-05-01T12:00:00Z"
WORDS = "text that is as long as it has to be, and no longer than that" * 4
ADDRESS: Json = {
    "regionCode": "DE",
    "postalCode": "10115",
    "locality": "Berlin",
    "addressLines": ["Invalidenstr. 1"],
    "recipients": ["Ann Example"],
}
TYPES: dict[str, object] = {
    "google.type.Money": {"currencyCode": "EUR", "units": "19", "nanos": 990000000},
    "google.type.PostalAddress": ADDRESS,
    "google.type.LatLng": {"latitude": 52.52, "longitude": 13.405},
    "google.protobuf.Timestamp": MOMENT,
    "google.protobuf.Duration": "60s",
}


def example_of(message: Descriptor, leave_out: frozenset[str] = frozenset()) -> Json:
    """Fill in a message as JSON, without the fields of these names, which a path may give."""
    wanted = (field for field in message.fields if field.name not in leave_out)
    return {field.json_name: value_of(field) for field in wanted if is_required(field) or field.name in ALSO}


def value_of(field: FieldDescriptor) -> object:
    """Give a value that the field may have."""
    rules = rules_of(field)
    for name in (".".join(field.full_name.rsplit(".", 2)[1:]), field.name):
        if name in VALUES and field.enum_type is None:
            return VALUES[name]
    uuid = rules.string.uuid or rules.repeated.items.string.uuid
    value = UUID if uuid else _of_type(field)
    return [value] if field.is_repeated else value


def _of_type(field: FieldDescriptor) -> object:
    if (message := field.message_type) is not None:
        known = TYPES.get(message.full_name)
        return _part_of(message, several=field.is_repeated) if known is None else known
    if field.enum_type is not None:
        return field.enum_type.values[1].name
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return WORDS[: max(rules_of(field).string.min_len, 4)]
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return True
    return "1" if field.cpp_type in IN_QUOTES else 1


def _part_of(message: Descriptor, *, several: bool) -> Json:
    """Fill in a message in another; each of a batch of requests is known by a name of its own."""
    keyed = several and "request_id" in message.fields_by_name
    return example_of(message) | ({"requestId": REQUEST_ID} if keyed else {})
