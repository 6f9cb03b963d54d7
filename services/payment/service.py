"""The gRPC servicers: turn the contracts' messages into what the payment service does, and back."""

from collections.abc import AsyncIterator
from datetime import UTC
from typing import Any

from mesh import context, errors
from mesh.validation import validate
from ordermesh.payment.v1 import (
    dispute_service_pb2,
    dispute_service_pb2_grpc,
    payment_pb2,
    payment_service_pb2_grpc,
    reconciliation_service_pb2_grpc,
    webhook_service_pb2_grpc,
)
from ordermesh.payment.v1 import payment_service_pb2 as pb
from ordermesh.payment.v1 import reconciliation_service_pb2 as reconciliation_pb
from ordermesh.payment.v1 import webhook_service_pb2 as webhook_pb
from services.common import paging
from services.common.idempotency import request_key
from services.common.protobuf import money_from_proto, money_to_proto, timestamp_to_proto
from services.payment.cashier import Cashier
from services.payment.domain.errors import PaymentNotFound
from services.payment.domain.payment import Payment
from services.payment.events import dispute_to_proto, payment_to_proto
from services.payment.movements import Movements
from services.payment.reconciliation import Period, Reconciler
from services.payment.store import PaymentStore, SettlementStore, WebhookStore
from services.payment.store.deliveries import StoredDelivery
from services.payment.store.settlement import Difference, Reconciliation
from services.payment.webhooks import Webhooks


class PaymentService(payment_service_pb2_grpc.PaymentServiceServicer):
    """Shapes are checked by the contract before a method here is entered; ownership is checked here."""

    def __init__(self, cashier: Cashier, movements: Movements, store: PaymentStore) -> None:
        """`cashier` and `movements` move money, `store` shows it."""
        self._cashier = cashier
        self._movements = movements
        self._store = store

    async def AuthorizePayment(self, request: pb.AuthorizePaymentRequest, _: object) -> payment_pb2.Payment:
        """Have the amount held; see the contract."""
        amount = money_from_proto(request.amount, "amount")
        return payment_to_proto(
            await self._cashier.authorize(request.order_id, request.customer_id, amount, request.payment_token)
        )

    async def CapturePayment(self, request: pb.CapturePaymentRequest, _: object) -> payment_pb2.Payment:
        """Take an amount; see the contract."""
        payment = await self._visible(request.id)
        amount = money_from_proto(request.amount, "amount") if request.HasField("amount") else None
        captured = await self._movements.capture(payment, amount, _request_id(request), final=request.final)
        return payment_to_proto(captured)

    async def RefundPayment(self, request: pb.RefundPaymentRequest, _: object) -> payment_pb2.Payment:
        """Give an amount back; see the contract."""
        payment = await self._visible(request.id)
        amount = money_from_proto(request.amount, "amount") if request.HasField("amount") else None
        return payment_to_proto(await self._movements.refund(payment, amount, _request_id(request)))

    async def VoidPayment(self, request: pb.VoidPaymentRequest, _: object) -> payment_pb2.Payment:
        """Give up the hold; see the contract."""
        return payment_to_proto(await self._cashier.void(await self._visible(request.id)))

    async def CancelOrderPayment(self, request: pb.CancelOrderPaymentRequest, _: object) -> payment_pb2.Payment:
        """End whatever was begun for an order; see the contract."""
        return payment_to_proto(await self._cashier.cancel_order(request.order_id))

    async def GetPayment(self, request: pb.GetPaymentRequest, _: object) -> payment_pb2.Payment:
        """Give one payment; see the contract."""
        return payment_to_proto(await self._cashier.looked_up(await self._visible(request.id)))

    async def ListPayments(self, request: pb.ListPaymentsRequest, _: object) -> pb.ListPaymentsResponse:
        """Give a page of payments; see the contract."""
        caller = context.current().caller
        filters = {
            "owner": None if caller.unrestricted else caller.user_id,
            "order_id": request.order_id or None,
        }
        size = paging.page_size(request.page_size)
        after = paging.decode(request.page_token, filters)
        found = await self._store.page(filters, after=after, limit=size + 1)
        reply = pb.ListPaymentsResponse(payments=[payment_to_proto(payment) for payment in found[:size]])
        if len(found) > size:
            reply.next_page_token = paging.encode(found[size - 1].id, filters)
        return reply

    async def _visible(self, payment_id: str) -> Payment:
        payment = await self._store.get(payment_id)
        if not context.current().caller.can_see(payment.customer_id or ""):
            raise PaymentNotFound(payment_id)
        return payment


class DisputeService(dispute_service_pb2_grpc.DisputeServiceServicer):
    """Shows disputes."""

    def __init__(self, store: PaymentStore) -> None:
        """`store` has them."""
        self._store = store

    async def ListDisputes(
        self, request: dispute_service_pb2.ListDisputesRequest, _: object
    ) -> dispute_service_pb2.ListDisputesResponse:
        """Give a page of disputes; see the contract."""
        filters = {"payment_id": request.payment_id or None}
        size = paging.page_size(request.page_size)
        after = paging.decode(request.page_token, filters)
        found = await self._store.disputes(filters["payment_id"], after, size + 1)
        reply = dispute_service_pb2.ListDisputesResponse(disputes=[dispute_to_proto(each) for each in found[:size]])
        if len(found) > size:
            reply.next_page_token = paging.encode(found[size - 1].id, filters)
        return reply


class WebhookService(webhook_service_pb2_grpc.WebhookServiceServicer):
    """Takes deliveries in, and shows them."""

    def __init__(self, webhooks: Webhooks, store: WebhookStore) -> None:
        """`webhooks` takes them in, `store` shows them."""
        self._webhooks = webhooks
        self._store = store

    async def ReceiveWebhook(
        self,
        request: webhook_pb.ReceiveWebhookRequest,
        servicer_context: Any,  # noqa: ANN401 - grpc.aio's own, which is generic in our messages
    ) -> webhook_pb.ReceiveWebhookResponse:
        """Store a delivery; see the contract. What a gateway signs is in headers, which the edge hands on."""
        metadata = servicer_context.invocation_metadata() or ()
        headers = {str(key).lower(): value for key, value in metadata if isinstance(value, str)}
        await self._webhooks.receive(request.gateway, headers, request.delivery.data)
        return webhook_pb.ReceiveWebhookResponse()

    async def ListWebhookDeliveries(
        self, request: webhook_pb.ListWebhookDeliveriesRequest, _: object
    ) -> webhook_pb.ListWebhookDeliveriesResponse:
        """Give a page of deliveries; see the contract."""
        state = webhook_pb.WebhookDelivery.State.Name(request.state) if request.state else None
        filters = {"gateway": request.gateway or None, "state": state}
        size = paging.page_size(request.page_size)
        found = await self._store.page(filters, paging.decode(request.page_token, filters), size + 1)
        reply = webhook_pb.ListWebhookDeliveriesResponse(deliveries=[_delivery(each) for each in found[:size]])
        if len(found) > size:
            reply.next_page_token = paging.encode(found[size - 1].id, filters)
        return reply

    async def RetryWebhookDelivery(
        self, request: webhook_pb.RetryWebhookDeliveryRequest, _: object
    ) -> webhook_pb.WebhookDelivery:
        """Act once more; see the contract."""
        return _delivery(await self._webhooks.retry(request.id))


class ReconciliationService(reconciliation_service_pb2_grpc.ReconciliationServiceServicer):
    """Compares, and shows what was found."""

    def __init__(self, reconciler: Reconciler, store: SettlementStore) -> None:
        """`reconciler` compares, `store` shows."""
        self._reconciler = reconciler
        self._store = store

    async def ReconcileSettlement(
        self, request_iterator: AsyncIterator[reconciliation_pb.ReconcileSettlementRequest], _: object
    ) -> reconciliation_pb.Reconciliation:
        """Compare a settlement file; see the contract. A stream's messages are not validated before they are here."""
        first = await anext(aiter(request_iterator), None)
        if first is None or not first.gateway:
            raise errors.InvalidArgument("the first message names the gateway", reason="GATEWAY_MISSING")
        validate(first)
        period = Period(first.start_time.ToDatetime(UTC), first.end_time.ToDatetime(UTC))

        async def file() -> AsyncIterator[bytes]:
            yield first.file.data
            async for each in request_iterator:
                validate(each)
                yield each.file.data

        return _reconciliation(await self._reconciler.settle(first.gateway, period, file()))

    async def ListReconciliations(
        self, request: reconciliation_pb.ListReconciliationsRequest, _: object
    ) -> reconciliation_pb.ListReconciliationsResponse:
        """Give a page of reconciliations; see the contract."""
        filters = {"gateway": request.gateway or None}
        size = paging.page_size(request.page_size)
        found = await self._store.page(filters["gateway"], paging.decode(request.page_token, filters), size + 1)
        page = [_reconciliation(each) for each in found[:size]]
        reply = reconciliation_pb.ListReconciliationsResponse(reconciliations=page)
        if len(found) > size:
            reply.next_page_token = paging.encode(found[size - 1].id, filters)
        return reply

    async def ListSettlementDifferences(
        self, request: reconciliation_pb.ListSettlementDifferencesRequest, _: object
    ) -> reconciliation_pb.ListSettlementDifferencesResponse:
        """Give a page of differences; see the contract."""
        filters = {
            "reconciliation_id": request.reconciliation_id or None,
            "show_resolved": str(request.show_resolved).lower(),
        }
        size = paging.page_size(request.page_size)
        found = await self._store.differences(filters, paging.decode(request.page_token, filters), size + 1)
        page = [_difference(each) for each in found[:size]]
        reply = reconciliation_pb.ListSettlementDifferencesResponse(differences=page)
        if len(found) > size:
            reply.next_page_token = paging.encode(found[size - 1].id, filters)
        return reply

    async def ResolveSettlementDifference(
        self, request: reconciliation_pb.ResolveSettlementDifferenceRequest, _: object
    ) -> reconciliation_pb.SettlementDifference:
        """Note an explanation; see the contract."""
        return _difference(await self._reconciler.resolve(request.id, request.note))


def _request_id(request: pb.CapturePaymentRequest | pb.RefundPaymentRequest) -> str | None:
    return request_key(request.request_id, context.current().idempotency_key)


def _delivery(delivery: StoredDelivery) -> webhook_pb.WebhookDelivery:
    return webhook_pb.WebhookDelivery(
        id=delivery.id,
        gateway=delivery.gateway,
        event_id=delivery.event_id,
        type=delivery.type,
        state=webhook_pb.WebhookDelivery.State.Value(delivery.state),
        attempts=delivery.attempts,
        failure_reason=delivery.failure_reason,
        create_time=timestamp_to_proto(delivery.create_time),
        update_time=timestamp_to_proto(delivery.update_time),
    )


def _reconciliation(found: Reconciliation) -> reconciliation_pb.Reconciliation:
    return reconciliation_pb.Reconciliation(
        id=found.id,
        gateway=found.gateway,
        source=reconciliation_pb.Reconciliation.Source.Value(found.source),
        start_time=timestamp_to_proto(found.start),
        end_time=timestamp_to_proto(found.end),
        settled_count=found.settled,
        matched_count=found.matched,
        difference_count=found.differences,
        create_time=timestamp_to_proto(found.create_time),
    )


def _difference(found: Difference) -> reconciliation_pb.SettlementDifference:
    message = reconciliation_pb.SettlementDifference(
        id=found.id,
        reconciliation_id=found.reconciliation_id,
        kind=reconciliation_pb.SettlementDifference.Kind.Value(found.kind),
        payment_id=found.payment_id or "",
        movement=payment_pb2.LedgerEntry.Kind.Value(found.movement),
        gateway_reference=found.reference,
        note=found.note,
        resolved_by=found.resolved_by,
    )
    if found.ledger_amount is not None:
        message.ledger_amount.CopyFrom(money_to_proto(found.ledger_amount))
    if found.settled_amount is not None:
        message.settled_amount.CopyFrom(money_to_proto(found.settled_amount))
    if found.resolve_time is not None:
        message.resolve_time.CopyFrom(timestamp_to_proto(found.resolve_time))
    return message
