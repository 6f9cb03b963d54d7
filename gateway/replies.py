"""Examples of replies: of the main resources by hand, and of whatever holds one of those; as the edge writes them.

The values are those of the demonstration shop, and one story: an order of two lamps, its payment, and what is left.
"""

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.envoy import Json
from gateway.examples import ADDRESS

ORDER, PAYMENT, CUSTOMER, PRODUCT, WAREHOUSE, RESERVATION = (
    f"0190f0a4-7c1e-7000-8000-00000000000{number}" for number in range(1, 7)
)
SKU, NAME, ETAG = "LAMP-HEAD-400", "Desk lamp", "4c1f0a"
CREATED, UPDATED = "2026-05-01T12:00:00Z", "2026-05-01T12:00:01Z"


def _euros(units: int, cents: int = 0) -> Json:
    return {"currencyCode": "EUR", "units": str(units), "nanos": cents * 10_000_000}


_USER: Json = {
    "id": CUSTOMER,
    "email": "ann@example.com",
    "displayName": "Ann",
    "roles": ["customer"],
    "createTime": CREATED,
    "emailVerified": True,
}
# By the message; what is left out here is written as empty.
RESOURCES: dict[str, Json] = {
    "ordermesh.order.v1.Order": {
        "id": ORDER,
        "customerId": CUSTOMER,
        "state": "CONFIRMED",
        "lines": [
            {
                "sku": SKU,
                "quantity": 2,
                "productId": PRODUCT,
                "name": NAME,
                "unitPrice": _euros(19, 99),
                "amount": _euros(39, 98),
                "taxAmount": _euros(6, 38),
            }
        ],
        "total": _euros(44, 97),
        "itemsAmount": _euros(39, 98),
        "shippingAmount": _euros(4, 99),
        "shippingTaxAmount": _euros(0, 80),
        "taxAmount": _euros(7, 18),
        "taxIncluded": True,
        "capturedAmount": _euros(0),
        "refundedAmount": _euros(0),
        "shippingAddress": ADDRESS,
        "paymentId": PAYMENT,
        "reservationId": RESERVATION,
        "etag": ETAG,
        "createTime": CREATED,
        "updateTime": UPDATED,
    },
    "ordermesh.product.v1.Product": {
        "id": PRODUCT,
        "name": NAME,
        "description": "Bends wherever you need it.",
        "category": "lighting",
        "variants": [{"sku": SKU, "name": "400 lumen", "attributes": {"light": "400 lm"}, "prices": [_euros(19, 99)]}],
        "etag": ETAG,
        "createTime": CREATED,
        "updateTime": UPDATED,
    },
    "ordermesh.inventory.v1.Stock": {
        "sku": SKU,
        "available": "8",
        "onHand": "10",
        "reserved": "2",
        "levels": [
            {
                "warehouseId": WAREHOUSE,
                "warehouseCode": "main",
                "available": "8",
                "onHand": "10",
                "reserved": "2",
                "policy": {},
            }
        ],
    },
    "ordermesh.payment.v1.Payment": {
        "id": PAYMENT,
        "orderId": ORDER,
        "customerId": CUSTOMER,
        "state": "AUTHORIZED",
        "amount": _euros(44, 97),
        "authorizedAmount": _euros(44, 97),
        "capturedAmount": _euros(0),
        "refundedAmount": _euros(0),
        "voidedAmount": _euros(0),
        "chargedBackAmount": _euros(0),
        "gateway": "sandbox",
        "gatewayReference": "sbx_1",
        "ledger": [
            {
                "id": "0190f0a4-7c1e-7000-8000-000000000007",
                "kind": "AUTHORIZATION",
                "amount": _euros(44, 97),
                "createTime": UPDATED,
                "gatewayReference": "sbx_1",
            }
        ],
        "createTime": CREATED,
        "updateTime": UPDATED,
        "expireTime": "2026-05-08T12:00:01Z",
    },
    "ordermesh.auth.v1.User": _USER,
    "ordermesh.auth.v1.LoginResponse": {
        "accessToken": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl",
        "tokenType": "Bearer",
        "expiresIn": 900,
        "user": _USER,
        "refreshToken": "rt_…",
        "refreshExpiresIn": 2592000,
        "sessionId": "0190f0a4-7c1e-7000-8000-000000000008",
    },
}


def example_of_reply(reply: Descriptor) -> Json | None:
    """Give a reply that is or holds one of the resources, with all that ProtoJSON always writes; None of others."""
    values = RESOURCES.get(reply.full_name) or _holding(reply)
    if not values:
        return None
    message = json_format.ParseDict(values, message_factory.GetMessageClass(reply)())
    written: Json = json_format.MessageToDict(message, always_print_fields_with_no_presence=True)
    return written


def _holding(reply: Descriptor) -> Json:
    return {field.json_name: _value(field) for field in reply.fields if _resource(field) is not None}


def _value(field: FieldDescriptor) -> object:
    return [_resource(field)] if field.is_repeated else _resource(field)


def _resource(field: FieldDescriptor) -> Json | None:
    return None if field.message_type is None else RESOURCES.get(field.message_type.full_name)
