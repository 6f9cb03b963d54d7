"""A request that breaks its contract is told which fields, by the path that a caller would write."""

import pytest
from google.protobuf.message import Message
from google.type import money_pb2, postal_address_pb2

from mesh import errors
from mesh.validation import validate
from ordermesh.inventory.v1 import inventory_service_pb2 as inventory
from ordermesh.order.v1 import order_service_pb2 as order
from ordermesh.payment.v1 import payment_service_pb2 as payment

ORDER = "01890000-0000-7000-8000-0000000000a1"
ADDRESS = postal_address_pb2.PostalAddress(region_code="DE")


def violations(request: Message) -> dict[str, str]:
    """Validate a request that must be refused; give the reason of each field."""
    with pytest.raises(errors.InvalidArgument) as refusal:
        validate(request)
    assert refusal.value.reason == "INVALID_REQUEST"
    assert refusal.value.violations[0].description in refusal.value.message
    return {each.field: each.reason for each in refusal.value.violations}


def lines(*quantities: int) -> list[order.CreateOrderLine]:
    """Make order lines of these quantities."""
    return [order.CreateOrderLine(sku=f"SKU-{at}", quantity=quantity) for at, quantity in enumerate(quantities)]


def test_a_request_as_the_contract_wants_it_passes() -> None:
    """Nothing is raised, nothing returned."""
    validate(order.CreateOrderRequest(lines=lines(1), shipping_address=ADDRESS, payment_token="tok_visa"))


def test_a_field_is_named_by_its_own_name() -> None:
    """The reason is the rule that it breaks."""
    assert violations(order.GetOrderRequest(id="7")) == {"id": "STRING_UUID"}


def test_an_element_of_a_list_is_named_by_its_position() -> None:
    """Positions count from zero, as in the JSON of the request."""
    request = order.CreateOrderRequest(lines=lines(1, 0, 1, -5), shipping_address=ADDRESS, payment_token="tok_visa")
    assert set(violations(request)) == {"lines[1].quantity", "lines[3].quantity"}


def test_every_broken_field_is_named_at_once() -> None:
    """A form is corrected in one go."""
    assert set(violations(order.CreateOrderRequest())) >= {"lines", "shipping_address", "payment_token"}


def test_a_rule_over_a_whole_list_names_the_list() -> None:
    """The message says what to do."""
    twice = [inventory.ReservationLine(sku="A", quantity=1), inventory.ReservationLine(sku="A", quantity=2)]
    found = violations(inventory.ReserveStockRequest(order_id=ORDER, lines=twice))
    assert found == {"lines": "LINES_UNIQUE_SKU"}


def test_a_rule_over_a_message_names_the_message() -> None:
    """Amounts above zero only."""
    request = payment.AuthorizePaymentRequest(
        order_id=ORDER,
        customer_id=ORDER,
        amount=money_pb2.Money(currency_code="EUR", units=-1),
        payment_token="tok_visa",
    )
    assert violations(request) == {"amount": "AMOUNT_POSITIVE"}


def test_a_card_number_is_refused_and_not_repeated() -> None:
    """What is wrong with a field never says what was in it."""
    number = "4111 1111 1111 1111"
    request = order.CreateOrderRequest(lines=lines(1), shipping_address=ADDRESS, payment_token=number)
    with pytest.raises(errors.InvalidArgument) as refusal:
        validate(request)
    assert [each.field for each in refusal.value.violations] == ["payment_token"]
    assert "4111" not in repr((refusal.value.message, refusal.value.violations))
