"""What can be wrong with a request about a payment."""

from mesh import errors
from services.common.money import Money
from services.payment.domain.payment import Kind, Payment


class PaymentNotFound(errors.NotFound):
    """There is no such payment, or it is somebody else's, which callers must not be able to tell apart."""

    def __init__(self, payment_id: str) -> None:
        super().__init__(
            f"there is no payment {payment_id}", reason="PAYMENT_NOT_FOUND", metadata={"payment_id": payment_id}
        )


class PaymentChanged(errors.Aborted):
    """Somebody else changed the payment meanwhile: ask again."""

    def __init__(self, payment_id: str) -> None:
        super().__init__(
            f"payment {payment_id} has changed meanwhile; ask again",
            reason="PAYMENT_CHANGED",
            metadata={"payment_id": payment_id},
        )


class AmountDiffers(errors.AlreadyExists):
    """The order has a payment of another amount."""

    def __init__(self, payment: Payment) -> None:
        super().__init__(
            f"order {payment.order_id} has a payment of another amount",
            reason="PAYMENT_AMOUNT_DIFFERS",
            metadata={"payment_id": payment.id, "order_id": payment.order_id},
        )


class PaymentCancelled(errors.FailedPrecondition):
    """The order's payment was cancelled before this request for money came."""

    def __init__(self, order_id: str) -> None:
        super().__init__(
            f"the payment of order {order_id} was cancelled",
            reason="PAYMENT_CANCELLED",
            metadata={"order_id": order_id},
        )


class NothingToAsk(errors.FailedPrecondition):
    """No gateway takes this currency here."""

    def __init__(self, currency_code: str) -> None:
        super().__init__(
            f"no payment gateway is set up for {currency_code}",
            reason="CURRENCY_NOT_SUPPORTED",
            metadata={"currency_code": currency_code},
        )


class GatewayRefused(errors.FailedPrecondition):
    """The gateway won't move the money, whatever is asked again; the reason in its own words."""

    def __init__(self, payment: Payment, kind: Kind, refusal: str) -> None:
        super().__init__(
            f"gateway {payment.gateway} refuses the {kind.lower()}: {refusal}",
            reason="GATEWAY_REFUSED",
            metadata={"payment_id": payment.id, "gateway": payment.gateway, "refusal": refusal},
        )


class CaptureNotFinal(errors.FailedPrecondition):
    """The gateway takes money of a hold once, and the rest of it would be lost unsaid."""

    def __init__(self, payment: Payment, left: Money) -> None:
        super().__init__(
            f"gateway {payment.gateway} takes money of an authorization once: capture all, or set `final` to give up "
            "the rest",
            reason="CAPTURE_NOT_FINAL",
            metadata={"payment_id": payment.id, "left": str(left.minor_units), "currency_code": left.currency_code},
            violations=[errors.FieldViolation("final", "must be true unless the amount is all that is left")],
        )


class UnderWay(errors.Aborted):
    """What is asked can't be judged while something else is under way at the gateway."""

    def __init__(self, payment: Payment, kind: Kind) -> None:
        super().__init__(
            f"a {kind.lower()} of payment {payment.id} is under way; ask again",
            reason=f"{kind}_UNDER_WAY",
            metadata={"payment_id": payment.id},
        )


class NotAllowed(errors.FailedPrecondition):
    """The payment's state does not allow the movement."""

    def __init__(self, payment: Payment, kind: Kind) -> None:
        super().__init__(
            f"payment {payment.id} is {payment.state}, which allows no {kind.lower()}",
            reason=f"{kind}_NOT_ALLOWED",
            metadata={"payment_id": payment.id, "state": payment.state},
        )


class TooMuch(errors.FailedPrecondition):
    """The movement is more than what is left."""

    def __init__(self, payment: Payment, kind: Kind, left: Money) -> None:
        super().__init__(
            f"payment {payment.id} has {left} left for a {kind.lower()}",
            reason=f"{kind}_TOO_MUCH",
            metadata={"payment_id": payment.id, "left": str(left.minor_units), "currency_code": left.currency_code},
            violations=[errors.FieldViolation("amount", f"at most {left}", f"{kind}_TOO_MUCH")],
        )


class CurrencyDiffers(errors.InvalidArgument):
    """The amount is in another currency than the payment."""

    def __init__(self, payment: Payment) -> None:
        super().__init__(
            f"payment {payment.id} is in {payment.amount.currency_code}",
            reason="CURRENCY_DIFFERS",
            violations=[errors.FieldViolation("amount.currency_code", f"must be {payment.amount.currency_code}")],
        )


class RequestIdReused(errors.AlreadyExists):
    """The request id was used for a movement of another amount."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            "this request id was used for another amount; use a new one",
            reason="IDEMPOTENCY_KEY_REUSED",
            violations=[
                errors.FieldViolation("request_id", f"{request_id!r} was used before", "IDEMPOTENCY_KEY_REUSED")
            ],
        )
