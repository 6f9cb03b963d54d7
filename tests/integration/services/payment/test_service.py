"""Payments over their contract: whose they are, and what moves them, by gRPC behind the gate."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
import pytest_asyncio

from mesh import errors, headers, status
from mesh.contract import Contract
from mesh.gate import Gate
from ordermesh.payment.v1 import payment_pb2
from ordermesh.payment.v1 import payment_service_pb2 as pb
from ordermesh.payment.v1 import payment_service_pb2_grpc as payment_grpc
from services.common.ids import new_id
from services.payment.cashier import Cashier
from services.payment.service import PaymentService
from services.payment.store import PaymentStore
from tests.integration.mesh.warehouse import HOST, claims_of
from tests.integration.services.payment.conftest import PATIENCE
from tests.integration.services.payment.gateway import Gateway
from tests.peers import EDGE, ORDER_SERVICE, SaidPeers

CUSTOMER = "01890000-0000-7000-8000-00000000c001"
STRANGER = "01890000-0000-7000-8000-00000000c002"
OWNER = {**EDGE, headers.CLAIMS: claims_of(CUSTOMER, "payments.read")}
OTHER = {**EDGE, headers.CLAIMS: claims_of(STRANGER, "payments.read")}
STAFF = {**EDGE, headers.CLAIMS: claims_of(STRANGER, "payments.read", "payments.manage")}


class Payments:
    """The service as a caller sees it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Use a channel."""
        self._stub: Any = payment_grpc.PaymentServiceStub(channel)

    async def ask(self, who: dict[str, str], method: str, request: object, **more: str) -> Any:  # noqa: ANN401
        """Call a method; raises the error that was raised there."""
        try:
            return await getattr(self._stub, method)(request, metadata=(*who.items(), *more.items()))
        except grpc.aio.AioRpcError as failure:
            raise status.error_from(failure) from failure

    async def authorized(self, token: str = "tok_visa") -> payment_pb2.Payment:
        """Have 19.99 EUR held."""
        request = pb.AuthorizePaymentRequest(order_id=new_id(), customer_id=CUSTOMER, payment_token=token)
        request.amount.currency_code, request.amount.units, request.amount.nanos = "EUR", 19, 990_000_000
        payment: payment_pb2.Payment = await self.ask(ORDER_SERVICE, "AuthorizePayment", request)
        return payment


@pytest_asyncio.fixture
async def payments(cashier: Cashier, store: PaymentStore) -> AsyncIterator[Payments]:
    """Serve and connect."""
    async with AsyncExitStack() as stack:
        server = grpc.aio.server(interceptors=(Gate(Contract.load(), SaidPeers(), 512),))
        payment_grpc.add_PaymentServiceServicer_to_server(PaymentService(cashier, store), server)
        port = server.add_insecure_port(f"{HOST}:0")
        await server.start()
        stack.push_async_callback(server.stop, None)
        yield Payments(await stack.enter_async_context(grpc.aio.insecure_channel(f"{HOST}:{port}")))


async def test_a_payment_is_shown_to_its_payer_and_to_staff(payments: Payments) -> None:
    """For others there is none."""
    payment = await payments.authorized()
    wanted = pb.GetPaymentRequest(id=payment.id)
    assert await payments.ask(OWNER, "GetPayment", wanted) == payment
    assert await payments.ask(STAFF, "GetPayment", wanted) == payment
    with pytest.raises(errors.NotFound):
        await payments.ask(OTHER, "GetPayment", wanted)
    for who, count in ((OWNER, 1), (OTHER, 0), (STAFF, 1)):
        assert len((await payments.ask(who, "ListPayments", pb.ListPaymentsRequest())).payments) == count


async def test_pages_of_payments_go_from_the_newest_to_the_oldest(payments: Payments) -> None:
    """The token of one owner is of no use to another."""
    made = [(await payments.authorized()).id for _ in range(3)]
    first = await payments.ask(OWNER, "ListPayments", pb.ListPaymentsRequest(page_size=2))
    more = pb.ListPaymentsRequest(page_size=2, page_token=first.next_page_token)
    rest = await payments.ask(OWNER, "ListPayments", more)
    assert [each.id for each in (*first.payments, *rest.payments)] == made[::-1]
    with pytest.raises(errors.InvalidArgument):
        await payments.ask(OTHER, "ListPayments", more)


async def test_only_staff_moves_money(payments: Payments) -> None:
    """By the same request id once, in the field or in the header; a part, then all that is left."""
    payment = await payments.authorized()
    part = pb.CapturePaymentRequest(id=payment.id, request_id="r1")
    part.amount.currency_code, part.amount.units = "EUR", 5
    with pytest.raises(errors.PermissionDenied):
        await payments.ask(OWNER, "CapturePayment", part)
    for _ in range(2):
        captured = await payments.ask(STAFF, "CapturePayment", part)
        assert (captured.captured_amount.units, captured.captured_amount.nanos) == (5, 0)
    part.ClearField("request_id")
    again = await payments.ask(STAFF, "CapturePayment", part, **{headers.IDEMPOTENCY_KEY: "r1"})
    assert again == captured
    everything = await payments.ask(STAFF, "CapturePayment", pb.CapturePaymentRequest(id=payment.id))
    assert everything.captured_amount == payment.amount
    kinds = [payment_pb2.LedgerEntry.Kind.Name(entry.kind) for entry in everything.ledger]
    assert kinds == ["AUTHORIZATION", "CAPTURE", "CAPTURE"]


async def test_an_amount_that_can_not_be_paid_is_named_by_its_field(payments: Payments) -> None:
    """Too many decimals, or another currency."""
    payment = await payments.authorized()
    request = pb.CapturePaymentRequest(id=payment.id)
    request.amount.currency_code, request.amount.nanos = "EUR", 1
    with pytest.raises(errors.InvalidArgument) as refusal:
        await payments.ask(STAFF, "CapturePayment", request)
    assert [each.field for each in refusal.value.violations] == ["amount.nanos"]
    request.amount.currency_code, request.amount.units, request.amount.nanos = "USD", 1, 0
    with pytest.raises(errors.InvalidArgument) as refusal:
        await payments.ask(STAFF, "CapturePayment", request)
    assert [each.field for each in refusal.value.violations] == ["amount.currency_code"]


async def test_looking_at_a_pending_payment_resolves_it(payments: Payments, gateway: Gateway) -> None:
    """As soon as nobody waits for the first answer any more."""
    gateway.mute = True
    pending = await payments.authorized()
    assert pending.state == payment_pb2.Payment.PENDING
    gateway.mute = False
    await asyncio.sleep(PATIENCE.total_seconds())
    found = await payments.ask(OWNER, "GetPayment", pb.GetPaymentRequest(id=pending.id))
    assert found.state == payment_pb2.Payment.AUTHORIZED
