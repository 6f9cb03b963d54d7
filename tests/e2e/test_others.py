"""What belongs to one customer, asked for by another: on every method that takes an id, as the contracts have them.

A method that is added is tried without a change here, unless it names a kind of thing that is not known yet.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from gateway.examples import example_of
from gateway.schemas import Messages
from mesh.contract import DESCRIPTORS, AccessKind, Contract, MethodPolicy
from tests.e2e.shop import PASSWORD, Client, Json, Shop, eventually, order_of

MESSAGES = Messages(DESCRIPTORS)
HIDDEN = {403, 404}
"""May not, or no such thing: nobody learns whether it is there."""


@dataclass(frozen=True)
class Belongings:
    """What somebody has: an id of each kind, by the name that paths and fields have for it."""

    owner: Client
    ids: Json

    def of(self, method: MethodPolicy) -> Json:
        """Fill in a request of the method with what is theirs."""
        request = MESSAGES.request_of(method.full_name)
        filled = example_of(request)
        for field in request.fields:
            if field.name in ids_in(method):
                filled[field.json_name] = self.ids[kind_of(field.name, method)]
        return filled


def ids_in(method: MethodPolicy) -> list[str]:
    """Name the fields of a request that stand for something of somebody."""
    fields = MESSAGES.request_of(method.full_name).fields
    return [
        each.name for each in fields if each.name == "id" or (each.name.endswith("_id") and each.name != "request_id")
    ]


def kind_of(field: str, method: MethodPolicy) -> str:
    """Tell what an id is of: `order_id` says it itself, and `id` is of what stands before it in the path."""
    if field != "id":
        return field.removesuffix("_id")
    return method.bindings[0].path.partition("/{id}")[0].rpartition("/")[2].removesuffix("s")


def methods() -> Iterator[MethodPolicy]:
    """Every method of users that takes an id."""
    for each in Contract.load().methods:
        if each.access.kind is AccessKind.PERMISSION and ids_in(each):
            yield each


@pytest.fixture(scope="module")
def hers(shop: Shop) -> Belongings:
    """A customer with an order of which one unit was sent, and all that came of it."""
    ann = shop.customer()
    order = ann.place(shop.stock(units=3), quantity=2)
    lines = [{"sku": order["lines"][0]["sku"], "quantity": 1}]
    parcel = {"lines": lines, "carrier": "dhl", "trackingNumber": "1"}
    shipment = shop.admin.post(f"/api/v1/orders/{order['id']}/shipments", parcel)
    back = {"shipmentId": shipment["id"], "lines": lines, "reason": "too dark"}
    returned = ann.post(f"/api/v1/orders/{order['id']}/returns", back)
    letters = eventually(lambda: ann.get("/api/v1/notifications", orderId=order["id"])["notifications"])
    ids = {
        "customer": ann.user["id"],
        "user": ann.user["id"],
        "order": order["id"],
        "payment": order["paymentId"],
        "shipment": shipment["id"],
        "return": returned["id"],
        "notification": letters[0]["id"],
        "session": ann.get("/api/v1/account/sessions")["sessions"][0]["id"],
        # What only staff have anything to do with.
        **dict.fromkeys(("reconciliation", "difference", "webhook", "serviceAccount"), order["id"]),
    }
    return Belongings(ann, ids)


@pytest.fixture(scope="module")
def other(shop: Shop) -> Client:
    """Somebody who has nothing."""
    return shop.customer()


@pytest.mark.parametrize("method", list(methods()), ids=lambda method: method.method)
def test_an_id_of_another_customer_leads_nowhere(other: Client, hers: Belongings, method: MethodPolicy) -> None:
    """NOT_FOUND, PERMISSION_DENIED, or an empty list; and nothing of hers changes."""
    path = f"/api/v1/orders/{hers.ids['order']}"
    before = hers.owner.get(path)
    for binding in method.bindings:
        address, rest = filled(binding.path, hers.of(method))
        body, query = (rest, None) if binding.body else (None, rest)
        reply = other.http.request(binding.verb, address, json=body, params=query)
        assert reply.status_code in HIDDEN or nothing_in(reply.json()), f"{address}: {reply.status_code} {reply.text}"
    assert hers.owner.get(path) == before


def filled(path: str, body: Json) -> tuple[str, Json]:
    """Put what the path names into it; give it, and what is left."""
    rest = {**body}
    for part in path.split("{")[1:]:
        name = part.partition("}")[0]
        head, *tail = name.split("_")
        value = rest.pop(head + "".join(each.capitalize() for each in tail))
        path = path.replace(f"{{{name}}}", str(value))
    return path, rest


def nothing_in(body: Json) -> bool:
    """Whether an answer holds nothing."""
    return not any(body.values())


ONE_EURO = {"currencyCode": "EUR", "units": "1"}


@pytest.mark.parametrize(
    ("mine", "field"),
    [
        ({"customerId": str(uuid.UUID(int=7))}, "customerId"),
        ({"state": "DELIVERED"}, "state"),
        ({"total": ONE_EURO}, "total"),
        ({"lines": [{"sku": "A", "quantity": 1, "unitPrice": ONE_EURO}]}, "lines[0].unitPrice"),
    ],
)
def test_an_owner_is_not_what_a_request_says(customer: Client, mine: Json, field: str) -> None:
    """Fields that only we write are none of a request: no order for others, no price and no state of one's own."""
    reply = customer.try_place(order_of("A") | mine)
    assert (reply.status_code, [each["field"] for each in reply.json()["errors"]]) == (400, [field]), reply.text


def test_nobody_registers_as_staff(shop: Shop) -> None:
    """A role is given, never asked for."""
    email = f"staff-{uuid.uuid4()}@example.com"
    body = {"email": email, "password": PASSWORD, "displayName": "M"}
    reply = shop.stranger.http.post("/api/v1/auth/register", json=body | {"roles": ["admin"]})
    assert (reply.status_code, [each["field"] for each in reply.json()["errors"]]) == (400, ["roles"]), reply.text
    shop.stranger.post("/api/v1/auth/register", body)
    assert shop.log_in(email, PASSWORD).user["roles"] == ["customer"]


def test_guessing_does_not_tell_who_has_an_account(shop: Shop, customer: Client) -> None:
    """The answer is the same, but for the id of the request; so it is to whoever forgot their password."""
    known, unknown = customer.user["email"], "nobody-of-ours@example.com"
    for path, more in (("/api/v1/auth/login", {"password": "wrong horse battery"}), (RESET, {})):
        replies = [shop.stranger.http.post(path, json={"email": email, **more}) for email in (known, unknown)]
        first, second = ((each.status_code, said(each.json())) for each in replies)
        assert first == second


RESET = "/api/v1/account/password:requestReset"


def said(body: Json) -> Json:
    """What an answer says, without the request's id."""
    return {name: value for name, value in body.items() if name != "details"}
