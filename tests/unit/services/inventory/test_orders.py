"""What the states of orders mean for their stock."""

from typing import cast

import pytest

from mesh import errors
from ordermesh.order.v1 import order_pb2
from ordermesh.order.v1 import order_service_pb2 as pb
from ordermesh.order.v1 import order_service_pb2_grpc as order_grpc
from services.inventory.adapters.orders import OrderService
from services.inventory.expiry import Fate

State = order_pb2.Order.State
OVER = {"REJECTED", "CANCELLED"}
OPEN = {"PENDING", "CANCELLING"}


class Stub:
    """Answers as the order service does: who is unknown is left out."""

    def __init__(self, states: dict[str, int]) -> None:
        """`states` of the orders that there are."""
        self.states = states
        self.asked: list[list[str]] = []

    async def BatchGetOrders(self, request: pb.BatchGetOrdersRequest) -> pb.BatchGetOrdersResponse:  # noqa: N802 - gRPC's own
        """Give the orders that there are."""
        self.asked.append(list(request.ids))
        known = [each for each in request.ids if each in self.states]
        return pb.BatchGetOrdersResponse(
            orders=[order_pb2.Order(id=each, state=State.Name(self.states[each])) for each in known]  # type: ignore[arg-type] # by name
        )


def orders(stub: Stub) -> OrderService:
    """Ask a stub."""
    return OrderService(cast("order_grpc.OrderServiceStub", stub))


@pytest.mark.parametrize("state", sorted({value.name for value in State.DESCRIPTOR.values} - {"STATE_UNSPECIFIED"}))
async def test_each_state_says_what_becomes_of_the_stock(state: str) -> None:
    """What is none of the four goes on; so does every state to come."""
    expected = Fate.OVER if state in OVER else Fate.OPEN if state in OPEN else Fate.GOES_ON
    assert await orders(Stub({"o": State.Value(state)})).fates(["o"]) == {"o": expected}


async def test_an_order_that_nobody_knows_is_over() -> None:
    """It was never placed."""
    assert await orders(Stub({})).fates(["o"]) == {"o": Fate.OVER}


async def test_nobody_is_asked_about_nothing() -> None:
    """A round without overdue reservations costs no call."""
    stub = Stub({})
    assert await orders(stub).fates([]) == {}
    assert stub.asked == []


async def test_an_error_is_no_answer() -> None:
    """And comes through as it is."""

    class Away(Stub):
        async def BatchGetOrders(self, _: pb.BatchGetOrdersRequest) -> pb.BatchGetOrdersResponse:  # noqa: N802
            raise errors.Unavailable("away")

    with pytest.raises(errors.Unavailable):
        await orders(Away({})).fates(["o"])
