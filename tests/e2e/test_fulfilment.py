"""What becomes of a confirmed order, through the edge: parcels, cancelled lines, returns and refunds."""

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from deploy.native.runtime import Runtime
from tests.e2e.shop import Client, Json, Shop, eventually, fields_of, reason_of
from tests.e2e.webhooks import Gateway

NOWHERE = "01890000-0000-7000-8000-0000000000ff"
TRACKED = {"carrier": "dhl", "trackingNumber": "00340434161094015902"}


def path_of(order: Json, *more: str) -> str:
    """Where an order, or what belongs to it, is found."""
    return "/".join((f"/api/v1/orders/{order['id']}", *more))


def units(sku: str, quantity: int) -> list[Json]:
    """Name units of an order."""
    return [{"sku": sku, "quantity": quantity}]


def payment_of(customer: Client, order: Json) -> Json:
    """Read the one payment of an order."""
    (payment,) = customer.get("/api/v1/payments", orderId=order["id"])["payments"]
    found: Json = payment
    return found


def cents(amount: Json) -> int:
    """Count an amount in minor units of a currency that has two places."""
    return int(amount.get("units", 0)) * 100 + int(amount.get("nanos", 0)) // 10_000_000


def entries(payment: Json) -> list[tuple[str, int]]:
    """List what moved of a payment."""
    return [(entry["kind"], cents(entry["amount"])) for entry in payment["ledger"]]


@pytest.fixture
def staff(shop: Shop) -> Client:
    """Who works in the shop."""
    return shop.admin


def test_an_order_leaves_in_two_parcels_is_paid_by_parcel_and_arrives(
    shop: Shop, customer: Client, staff: Client
) -> None:
    """The customer sees carrier and tracking number, hears of each parcel twice, and reads it all in the timeline."""
    sku = shop.stock(units=5)
    order = customer.place(sku, quantity=3)
    first = staff.post(path_of(order, "shipments"), {"lines": units(sku, 2), **TRACKED})
    assert (first["state"], cents(first["amount"])) == ("SHIPPED", 3998)
    second = staff.post(path_of(order, "shipments"))
    seen = customer.get(path_of(order))
    assert seen["state"] == "SHIPPED"
    assert {key: seen["shipments"][0][key] for key in TRACKED} == TRACKED
    assert entries(payment_of(customer, order)) == [("AUTHORIZATION", 5997), ("CAPTURE", 3998), ("CAPTURE", 1999)]
    assert shop.available(sku) == 2
    for parcel in (first, second):
        staff.post(path_of(order, "shipments", f"{parcel['id']}:deliver"))
    assert customer.get(path_of(order))["state"] == "DELIVERED"

    told = [entry["text"] for entry in customer.get(path_of(order, "timeline"))["entries"]]
    assert f"Shipped by dhl, tracking number {TRACKED['trackingNumber']}: 2 x {sku}" in told
    assert told[-1] == f"Delivered: 1 x {sku}"
    confirmed, parcels = 1, 2
    letters = eventually(
        lambda: found if len(found := shop.letters_about(order["id"])) >= confirmed + 2 * parcels else []
    )
    assert Counter(str(letter["Subject"]).strip().replace(order["id"], "…") for letter in letters) == {
        "Your order … is confirmed": 1,
        "A parcel of your order … is on its way": 2,
        "A parcel of your order … was delivered": 2,
    }
    assert any(TRACKED["trackingNumber"] in letter.as_string() for letter in letters)


def test_what_comes_back_is_looked_at_paid_back_and_sold_again(shop: Shop, customer: Client, staff: Client) -> None:
    """Three are asked for, two come, one can be sold again; then goodwill, up to what is left."""
    sku = shop.stock(units=3)
    order = customer.place(sku, quantity=3)
    parcel = staff.post(path_of(order, "shipments"))
    asked = {"shipmentId": parcel["id"], "lines": units(sku, 3), "reason": "too big"}
    back = customer.post(path_of(order, "returns"), asked)
    here = path_of(order, "returns", back["id"])
    staff.post(f"{here}:approve", {"note": "use the label"})
    found = {"lines": [{"sku": sku, "receivedQuantity": 2, "restockedQuantity": 1}]}
    for _ in range(2):
        assert staff.post(f"{here}:receive", found)["state"] == "COMPLETED"
    assert shop.available(sku) == 1
    staff.post(path_of(order, "refunds"), {"amount": {"currencyCode": "EUR", "units": "5"}, "reason": "it was late"})
    assert cents(staff.post(path_of(order, "refunds"))["amount"]) == 1499
    assert [cents(each["amount"]) for each in customer.get(path_of(order))["refunds"]] == [3998, 500, 1499]
    payment = payment_of(customer, order)
    assert (payment["refundedAmount"], payment["capturedAmount"]) == (order["total"], order["total"])
    reply = staff.http.post(path_of(order, "refunds"), json={})
    assert (reply.status_code, reason_of(reply)) == (400, "REFUND_TOO_MUCH")


def test_cancelled_units_go_back_on_sale_and_are_never_charged(shop: Shop, customer: Client, staff: Client) -> None:
    """Some before anything left, and the rest afterwards, which ends the hold on the card."""
    sku = shop.stock(units=3)
    order = customer.place(sku, quantity=3)
    less = customer.post(f"{path_of(order)}:cancelLines", {"lines": units(sku, 1), "reason": "one is enough"})
    assert (less["state"], shop.available(sku)) == ("CONFIRMED", 1)
    staff.post(path_of(order, "shipments"), {"lines": units(sku, 1)})
    assert customer.post(f"{path_of(order)}:cancelLines", {"lines": units(sku, 1)})["state"] == "SHIPPED"
    assert shop.available(sku) == 2
    assert entries(payment_of(customer, order)) == [("AUTHORIZATION", 5997), ("CAPTURE", 1999), ("VOID", 3998)]


def test_a_parcel_that_can_not_be_charged_stays_and_its_units_with_the_order(
    stack: Runtime, shop: Shop, customer: Client, staff: Client
) -> None:
    """The gateway tells that its hold ran out. The customer hears of it; nobody else gets the units meanwhile."""
    sku = shop.stock(units=1)
    order = customer.place(sku)
    gateway = Gateway(stack, shop)
    gateway.tell("authorization.expired", payment_id=order["paymentId"])
    eventually(lambda: payment_of(customer, order)["state"] == "EXPIRED")
    parcel = staff.post(path_of(order, "shipments"))
    assert (parcel["state"], bool(parcel["failure"]["reason"])) == ("FAILED", True)
    assert shop.available(sku) == 0
    subjects = eventually(
        lambda: [each for each in shop.letters_about(order["id"]) if "could not charge" in str(each["Subject"])]
    )
    assert len(subjects) == 1
    assert customer.post(f"{path_of(order)}:cancel")["state"] == "CANCELLED"
    assert shop.available(sku) == 1


def test_of_a_cancellation_and_a_shipment_at_once_one_wins_and_the_other_is_told(
    shop: Shop, customer: Client, staff: Client
) -> None:
    """With what the order has become; stock and money are where the winner left them."""
    sku = shop.stock(units=6)
    with ThreadPoolExecutor(2) as at_once:
        for turn in range(6):
            order = customer.place(sku)
            acts: list[tuple[Client, str]] = [
                (staff, path_of(order, "shipments")),
                (customer, f"{path_of(order)}:cancel"),
            ]
            replies = list(at_once.map(_post, acts if turn % 2 else acts[::-1]))
            (lost,) = [reply for reply in replies if not reply.is_success]
            state = customer.get(path_of(order))["state"]
            told = {"SHIPPED": "ORDER_NOT_CANCELLABLE", "CANCELLED": "ORDER_NOT_SHIPPABLE"}
            assert (lost.status_code, reason_of(lost)) == (400, told[state])
            left = {"SHIPPED": "CAPTURED", "CANCELLED": "VOIDED"}
            assert payment_of(customer, order)["state"] == left[state]


def _post(act: tuple[Client, str]) -> httpx.Response:
    who, path = act
    return who.http.post(path, json={})


def test_the_same_shipment_and_refund_asked_for_at_once_happen_once(
    shop: Shop, customer: Client, staff: Client
) -> None:
    """By their key; with other content it is refused."""
    sku = shop.stock(units=2)
    order = customer.place(sku, quantity=2)
    for what, body in (
        ("shipments", {"lines": units(sku, 1)}),
        ("refunds", {"amount": {"currencyCode": "EUR", "units": "1"}}),
    ):
        key = {"Idempotency-Key": str(uuid.uuid4())}
        with ThreadPoolExecutor(4) as at_once:
            replies = list(at_once.map(lambda _: staff.post(path_of(order, what), body, **key), range(4)))  # noqa: B023
        assert len({reply["id"] for reply in replies}) == 1
        other = staff.http.post(path_of(order, what), json={}, headers=key)
        assert (other.status_code, reason_of(other)) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert entries(payment_of(customer, order)) == [("AUTHORIZATION", 3998), ("CAPTURE", 1999), ("REFUND", 100)]


def test_what_is_wrong_or_too_late_is_refused_and_says_why(shop: Shop, customer: Client, staff: Client) -> None:
    """By reason and field; the order stays as it was."""
    sku = shop.stock(units=2)
    order = customer.place(sku, quantity=2)
    parcel = staff.post(path_of(order, "shipments"), {"lines": units(sku, 1)})
    back = customer.post(path_of(order, "returns"), {"shipmentId": parcel["id"], "lines": units(sku, 1)})
    before = staff.get(path_of(order))
    come = {"lines": [{"sku": sku, "receivedQuantity": 1}]}
    wrong: list[tuple[str, Json, int, str]] = [
        ("shipments", {"lines": units(sku, 2)}, 400, "UNITS_NOT_LEFT"),
        ("shipments", {"lines": units("NONE", 1)}, 400, "SKU_NOT_IN_ORDER"),
        ("shipments", {"lines": units(sku, 0)}, 400, "INVALID_REQUEST"),
        ("shipments", {"etag": order["etag"]}, 409, "ORDER_CHANGED"),
        (f"shipments/{NOWHERE}:deliver", {}, 404, "SHIPMENT_NOT_FOUND"),
        ("returns", {"shipmentId": parcel["id"], "lines": units(sku, 1)}, 400, "UNITS_NOT_LEFT"),
        ("returns", {"shipmentId": NOWHERE, "lines": units(sku, 1)}, 404, "SHIPMENT_NOT_FOUND"),
        (f"returns/{back['id']}:receive", come, 400, "RETURN_REQUESTED"),
        (f"returns/{NOWHERE}:approve", {}, 404, "RETURN_NOT_FOUND"),
        ("refunds", {"amount": {"currencyCode": "EUR", "units": "20"}}, 400, "REFUND_TOO_MUCH"),
        ("refunds", {"amount": {"currencyCode": "USD", "units": "1"}}, 400, "CURRENCY_DIFFERS"),
    ]
    for what, body, status, reason in wrong:
        reply = staff.http.post(path_of(order, what), json=body)
        assert (reply.status_code, reason_of(reply)) == (status, reason), (what, body, reply.text)
    short = staff.http.post(path_of(order, "shipments"), json={"lines": units(sku, 2)})
    assert fields_of(short) == {"lines[0].quantity"}
    late = customer.http.post(f"{path_of(order)}:cancel", json={})
    assert (late.status_code, reason_of(late)) == (400, "ORDER_NOT_CANCELLABLE")
    assert staff.get(path_of(order)) == before


def test_only_staff_ship_decide_and_refund_and_strangers_find_nothing(
    shop: Shop, customer: Client, staff: Client
) -> None:
    """Not even the customer whose order it is; to others it does not exist."""
    sku = shop.stock(units=1)
    order = customer.place(sku)
    parcel = staff.post(path_of(order, "shipments"))
    ask = {"shipmentId": parcel["id"], "lines": units(sku, 1)}
    back = customer.post(path_of(order, "returns"), ask)
    decisions = ("shipments", f"shipments/{parcel['id']}:deliver", "refunds", f"returns/{back['id']}:approve")
    for what in decisions:
        reply = customer.http.post(path_of(order, what), json={})
        assert (reply.status_code, reply.json()["code"]) == (403, 7), what
    other = shop.customer()
    for reply in (
        other.http.post(path_of(order, "returns"), json=ask),
        other.http.post(f"{path_of(order)}:cancelLines", json={"lines": units(sku, 1)}),
        other.http.get(path_of(order, "timeline")),
        other.http.get(f"{path_of(order)}:watch"),
    ):
        assert (reply.status_code, reply.json()["code"]) == (404, 5)
    assert shop.stranger.http.post(path_of(order, "shipments"), json={}).status_code == 401


def test_notes_are_for_whom_they_are_written(shop: Shop, customer: Client, staff: Client) -> None:
    """In the timeline, too."""
    order = customer.place(shop.stock(units=1))
    staff.post(path_of(order, "notes"), {"text": "a difficult customer"})
    staff.post(path_of(order, "notes"), {"text": "we pack it as a present", "customerVisible": True})

    def read(who: Client) -> list[str]:
        texts = [entry["text"] for entry in who.get(path_of(order, "timeline"))["entries"]]
        return [text for text in texts if text.startswith("Note")]

    assert read(customer) == ["Note: we pack it as a present"]
    assert len(read(staff)) == 2


def states(reply: httpx.Response) -> Iterator[str]:
    """Read the states of a watched order as they come, as server-sent events."""
    for line in reply.iter_lines():
        if line.startswith("data:"):
            event: dict[str, Any] = json.loads(line.removeprefix("data:"))
            yield event["state"]


def test_a_watched_order_tells_what_becomes_of_it(shop: Shop, customer: Client, staff: Client) -> None:
    """At once as it is, and again whenever it changes."""
    order = customer.place(shop.stock(units=1))
    with customer.http.stream("GET", f"{path_of(order)}:watch", timeout=30) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        seen = states(reply)
        assert next(seen) == "CONFIRMED"
        parcel = staff.post(path_of(order, "shipments"))
        assert "SHIPPED" in seen
        staff.post(path_of(order, "shipments", f"{parcel['id']}:deliver"))
        assert "DELIVERED" in seen
