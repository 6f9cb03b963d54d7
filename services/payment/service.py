"""The gRPC servicer: turns the contract's messages into what the payment service does, and back."""

from mesh import context
from ordermesh.payment.v1 import payment_pb2, payment_service_pb2_grpc
from ordermesh.payment.v1 import payment_service_pb2 as pb
from services.common import paging
from services.common.idempotency import request_key
from services.common.protobuf import money_from_proto
from services.payment.cashier import Cashier
from services.payment.domain import Kind, Payment, PaymentNotFound
from services.payment.events import payment_to_proto
from services.payment.store import PaymentStore


class PaymentService(payment_service_pb2_grpc.PaymentServiceServicer):
    """Shapes are checked by the contract before a method here is entered; ownership is checked here."""

    def __init__(self, cashier: Cashier, store: PaymentStore) -> None:
        """`cashier` moves money, `store` shows it."""
        self._cashier = cashier
        self._store = store

    async def AuthorizePayment(self, request: pb.AuthorizePaymentRequest, _: object) -> payment_pb2.Payment:
        """Have the amount held; see the contract."""
        amount = money_from_proto(request.amount, "amount")
        return payment_to_proto(
            await self._cashier.authorize(request.order_id, request.customer_id, amount, request.payment_token)
        )

    async def CapturePayment(self, request: pb.CapturePaymentRequest, _: object) -> payment_pb2.Payment:
        """Take an amount; see the contract."""
        return await self._move(request, Kind.CAPTURE)

    async def RefundPayment(self, request: pb.RefundPaymentRequest, _: object) -> payment_pb2.Payment:
        """Give an amount back; see the contract."""
        return await self._move(request, Kind.REFUND)

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

    async def _move(
        self, request: pb.CapturePaymentRequest | pb.RefundPaymentRequest, kind: Kind
    ) -> payment_pb2.Payment:
        payment = await self._visible(request.id)
        amount = money_from_proto(request.amount, "amount") if request.HasField("amount") else None
        request_id = request_key(request.request_id, context.current().idempotency_key)
        return payment_to_proto(await self._cashier.move(payment, kind, amount, request_id))

    async def _visible(self, payment_id: str) -> Payment:
        payment = await self._store.get(payment_id)
        if not context.current().caller.can_see(payment.customer_id or ""):
            raise PaymentNotFound(payment_id)
        return payment
