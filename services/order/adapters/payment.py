"""Having money held, by the payment service."""

from ordermesh.payment.v1 import payment_pb2, payment_service_pb2_grpc
from ordermesh.payment.v1 import payment_service_pb2 as payment
from services.common.money import Money
from services.common.protobuf import money_to_proto
from services.order.saga import Authorization, PaymentUnsettledError


class PaymentService:
    """The payment service as a saga.Payment."""

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
