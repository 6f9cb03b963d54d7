"""Errors of services as REST clients see them: problems (RFC 9457) that are a google.rpc.Status too."""

import grpc
import httpx
import pytest
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2

from ordermesh.order.v1 import order_service_pb2, order_service_pb2_grpc
from tests.integration.gateway.backend import MISSING
from tests.integration.gateway.installation import Edge
from tests.integration.gateway.test_rest import reason
from tests.integration.gateway.tokens import bearer, token

pytestmark = pytest.mark.asyncio(loop_scope="package")
WRONG = {"lines": [{"quantity": 1}]}


async def wrong_order(http: httpx.AsyncClient) -> httpx.Response:
    """What the service says of an order with two faults."""
    return await http.post("/api/v1/orders", json=WRONG, headers=bearer(token("orders.create")))


async def test_an_error_of_a_service_is_a_problem(http: httpx.AsyncClient) -> None:
    """A program looks at `reason` or `type`, a person at `title` and `detail`."""
    headers = bearer(token("orders.read")) | {"accept-encoding": "identity"}
    reply = await http.get(f"/api/v1/orders/{MISSING}", headers=headers)

    assert reason(reply) == (404, 5, "ORDER_NOT_FOUND")
    assert reply.json()["title"] == "Order not found"
    assert reply.json()["detail"] == "there is no such order"
    assert int(reply.headers["content-length"]) == len(reply.content)


async def test_it_is_a_status_of_google_rpc_too(http: httpx.AsyncClient) -> None:
    """For those who read it with protobuf, which skips what it does not know."""
    body = (await wrong_order(http)).json()
    status = json_format.ParseDict(body, status_pb2.Status(), ignore_unknown_fields=True)
    bad_request = error_details_pb2.BadRequest()

    assert any(each.Unpack(bad_request) for each in status.details)
    assert len(bad_request.field_violations) == 2


async def test_fields_at_fault_have_the_names_of_json(http: httpx.AsyncClient) -> None:
    """A form finds its inputs by them; brackets and quotes in what is said of them do no harm."""
    body = (await wrong_order(http)).json()

    assert [(each["field"], each["description"]) for each in body["errors"]] == [
        ("shippingAddress.regionCode", 'a "[" too many'),
        ("lines[0].sku", "leave nothing out"),
    ]
    assert body["detail"] == 'shippingAddress.regionCode: "[is] none"'


async def test_when_to_try_again_is_a_header(http: httpx.AsyncClient) -> None:
    """Whichever part of the system said so."""
    assert (await wrong_order(http)).headers["retry-after"] == "7"


async def test_over_grpc_nothing_is_rewritten(edge: Edge) -> None:
    """Fields keep the names of the contract."""
    request = order_service_pb2.CreateOrderRequest(lines=[order_service_pb2.CreateOrderLine(quantity=1)])
    metadata = (("authorization", f"Bearer {token('orders.create')}"),)
    async with grpc.aio.insecure_channel(edge.target) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await order_service_pb2_grpc.OrderServiceStub(channel).CreateOrder(request, metadata=metadata, timeout=5)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (refused.value.details() or "").startswith("shipping_address.region_code")


@pytest.mark.parametrize(("headers", "status"), [({"if-match": '"4"'}, 412), ({}, 409)])
async def test_a_condition_that_does_not_hold_is_told_in_its_own_status(
    edge: Edge, http: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    """412 for a header (RFC 9110, section 15.5.13); 409 for the field `etag`, which HTTP knows nothing of."""
    path = f"/api/v1/orders/{MISSING}:cancel"
    reply = await http.post(path, json={}, headers=bearer(token("orders.cancel")) | headers)

    assert reason(reply) == (status, 10, "ORDER_CHANGED")
    assert edge.backend.metadata.get("if-match") == headers.get("if-match")
