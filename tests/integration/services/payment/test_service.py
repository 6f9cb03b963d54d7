"""Payments over their contract: whose they are, and what moves them, by gRPC behind the gate."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import grpc
import pytest
import pytest_asyncio

from mesh import errors, headers, status
from mesh.contract import Contract
from mesh.gate import Gate
from ordermesh.payment.v1 import dispute_service_pb2, payment_pb2
from ordermesh.payment.v1 import dispute_service_pb2_grpc as dispute_grpc
from ordermesh.payment.v1 import payment_service_pb2 as pb
from ordermesh.payment.v1 import payment_service_pb2_grpc as payment_grpc
from ordermesh.payment.v1 import reconciliation_service_pb2 as reconciliation_pb
from ordermesh.payment.v1 import reconciliation_service_pb2_grpc as reconciliation_grpc
from ordermesh.payment.v1 import webhook_service_pb2 as webhook_pb
from ordermesh.payment.v1 import webhook_service_pb2_grpc as webhook_grpc
from services.common.database import Database
from services.common.ids import new_id
from services.payment.adapters.books import SandboxBooks
from services.payment.adapters.standard_webhooks import SandboxNotifications
from services.payment.reconciliation import Reconciler
from services.payment.service import DisputeService, PaymentService, ReconciliationService, WebhookService
from services.payment.store import PaymentStore, SandboxAccounts, SettlementStore, WebhookStore
from services.payment.webhooks import Webhooks
from tests.integration.mesh.warehouse import HOST, claims_of
from tests.integration.services.payment.conftest import PATIENCE, Desk, now
from tests.integration.services.payment.gateway import Gateway
from tests.integration.services.payment.test_webhooks import SECRET, signed_headers
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
        self.disputes: Any = dispute_grpc.DisputeServiceStub(channel)
        self.webhooks: Any = webhook_grpc.WebhookServiceStub(channel)
        self.reconciliations: Any = reconciliation_grpc.ReconciliationServiceStub(channel)

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
async def payments(desk: Desk, store: PaymentStore, database: Database) -> AsyncIterator[Payments]:
    """Serve and connect."""
    async with AsyncExitStack() as stack:
        server = grpc.aio.server(interceptors=(Gate(Contract.load(), SaidPeers(), 512),))
        payment_grpc.add_PaymentServiceServicer_to_server(PaymentService(desk.cashier, desk.movements, store), server)
        dispute_grpc.add_DisputeServiceServicer_to_server(DisputeService(store), server)
        deliveries, settlements = WebhookStore(database), SettlementStore(database)
        notifications = {"sandbox": SandboxNotifications(SECRET)}
        webhooks = Webhooks(deliveries, notifications, desk.bookkeeper, now, timedelta(hours=1))
        webhook_grpc.add_WebhookServiceServicer_to_server(WebhookService(webhooks, deliveries), server)
        reconciler = Reconciler(settlements, {"sandbox": SandboxBooks(SandboxAccounts(database))}, now)
        reconciliation_grpc.add_ReconciliationServiceServicer_to_server(
            ReconciliationService(reconciler, settlements), server
        )
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


async def test_a_webhook_needs_no_token_and_is_believed_by_its_signature(payments: Payments) -> None:
    """Staff sees what came of it; its content is never shown."""
    body = b'{"type": "payout.paid"}'
    request = webhook_pb.ReceiveWebhookRequest(gateway="sandbox")
    request.delivery.data = body
    signed = signed_headers(body, "m1")
    await payments.webhooks.ReceiveWebhook(request, metadata=(*EDGE.items(), *signed.items()))
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await payments.webhooks.ReceiveWebhook(request, metadata=tuple(EDGE.items()))
    assert failure.value.code() is grpc.StatusCode.UNAUTHENTICATED
    listing = webhook_pb.ListWebhookDeliveriesRequest(gateway="sandbox")
    (delivery,) = (await payments.webhooks.ListWebhookDeliveries(listing, metadata=tuple(STAFF.items()))).deliveries
    assert (delivery.event_id, delivery.type) == ("m1", "payout.paid")
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await payments.webhooks.ListWebhookDeliveries(listing, metadata=tuple(OWNER.items()))
    assert failure.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_settlement_file_is_compared_as_it_comes_and_its_differences_are_explained(payments: Payments) -> None:
    """Over the contract, by staff."""
    parts = [
        reconciliation_pb.ReconcileSettlementRequest(gateway="sandbox"),
        reconciliation_pb.ReconcileSettlementRequest(),
    ]
    parts[0].start_time.FromDatetime(now() - timedelta(days=1))
    parts[0].end_time.FromDatetime(now() + timedelta(days=1))
    parts[0].file.data = b"id,type,reference,payment_reference,amount,currency\n1,CAPT"
    parts[1].file.data = b"URE,from_elsewhere,,5.00,EUR\n"
    staff = tuple(STAFF.items())
    done = await payments.reconciliations.ReconcileSettlement(iter(parts), metadata=staff)
    assert (done.settled_count, done.difference_count) == (1, 1)
    listing = reconciliation_pb.ListSettlementDifferencesRequest(reconciliation_id=done.id)
    (found,) = (await payments.reconciliations.ListSettlementDifferences(listing, metadata=staff)).differences
    assert (found.settled_amount.units, found.HasField("ledger_amount")) == (5, False)
    note = reconciliation_pb.ResolveSettlementDifferenceRequest(id=found.id, note="not ours")
    resolved = await payments.reconciliations.ResolveSettlementDifference(note, metadata=staff)
    assert (resolved.note, resolved.resolved_by) == ("not ours", f"user:{STRANGER}")
    runs = await payments.reconciliations.ListReconciliations(
        reconciliation_pb.ListReconciliationsRequest(), metadata=staff
    )
    assert [each.id for each in runs.reconciliations] == [done.id]


async def test_a_settlement_without_a_gateway_or_a_period_is_refused(payments: Payments) -> None:
    """By the field."""
    for parts in ([], [reconciliation_pb.ReconcileSettlementRequest()]):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await payments.reconciliations.ReconcileSettlement(iter(parts), metadata=tuple(STAFF.items()))
        assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_disputes_are_shown_to_staff(payments: Payments) -> None:
    """There is none yet."""
    request = dispute_service_pb2.ListDisputesRequest()
    assert not (await payments.disputes.ListDisputes(request, metadata=tuple(STAFF.items()))).disputes
    with pytest.raises(grpc.aio.AioRpcError):
        await payments.disputes.ListDisputes(request, metadata=tuple(OWNER.items()))
