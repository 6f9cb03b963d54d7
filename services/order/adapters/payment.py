"""Having money held, taken and given back, by the payment service."""

import contextlib

from mesh import errors
from ordermesh.payment.v1 import payment_pb2, payment_service_pb2_grpc
from ordermesh.payment.v1 import payment_service_pb2 as payment
from services.common.money import Money
from services.common.protobuf import money_to_proto
from services.order.ports import Authorization, PaymentUnsettledError, RefusedError

_REFUSALS = (errors.FailedPrecondition, errors.InvalidArgument, errors.NotFound)


class PaymentService:
    """The payment service as a ports.Payment."""

    def __init__(self, stub: payment_service_pb2_grpc.PaymentServiceStub) -> None:
        """`stub` acts for this service, not for the customer."""
        self._stub = stub

    async def authorize(self, order_id: str, customer_id: str, amount: Money, token: str) -> Authorization:
        """Have the amount held. Raises PaymentUnsettledError; repeated, gives the same answer."""
        request = payment.AuthorizePaymentRequest(
            order_id=order_id, customer_id=customer_id, amount=money_to_proto(amount), payment_token=token
        )
        answer = await self._stub.AuthorizePayment(request)
        if answer.state == payment_pb2.Payment.PENDING:
            message = f"the gateway has not answered for payment {answer.id}"
            raise PaymentUnsettledError(message)
        held = answer.state in {payment_pb2.Payment.AUTHORIZED, payment_pb2.Payment.CAPTURED}
        return Authorization(answer.id, None if held else answer.failure_reason or "PAYMENT_CANCELLED")

    async def cancel(self, order_id: str) -> None:
        """Give the money back, or see to it that an authorization on its way holds nothing."""
        await self._stub.CancelOrderPayment(payment.CancelOrderPaymentRequest(order_id=order_id))

    async def capture(self, payment_id: str, amount: Money, key: str, *, final: bool) -> None:
        """Take an amount of what is held; `final`: and give up the rest. Raises RefusedError."""
        request = payment.CapturePaymentRequest(
            id=payment_id, amount=money_to_proto(amount), request_id=key, final=final
        )
        try:
            await self._stub.CapturePayment(request)
        except _REFUSALS as refused:
            raise RefusedError(refused.reason, refused.message) from refused

    async def give_up_rest(self, payment_id: str) -> None:
        """Give up what is still held, if anything is."""
        # Refused, it is because nothing is held.
        with contextlib.suppress(errors.FailedPrecondition):
            await self._stub.VoidPayment(payment.VoidPaymentRequest(id=payment_id))

    async def refund(self, payment_id: str, amount: Money, key: str) -> None:
        """Give back an amount of what was taken. Raises RefusedError."""
        request = payment.RefundPaymentRequest(id=payment_id, amount=money_to_proto(amount), request_id=key)
        try:
            await self._stub.RefundPayment(request)
        except _REFUSALS as refused:
            raise RefusedError(refused.reason, refused.message) from refused
