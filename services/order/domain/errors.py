"""What can be wrong with a request about an order."""

from collections.abc import Mapping
from datetime import timedelta

from mesh import errors
from services.common.money import Money


class OrderNotFound(errors.NotFound):
    """There is no such order, or it is somebody else's, which callers must not be able to tell apart."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"there is no order {order_id}", reason="ORDER_NOT_FOUND", metadata={"order_id": order_id})


class OrderNotCancellable(errors.FailedPrecondition):
    """The order's state does not allow it, or so much of it, to be cancelled."""

    def __init__(self, order_id: str, state: str, because: str = "") -> None:
        super().__init__(
            f"order {order_id} is {state} and can't be cancelled{because and f' like this: {because}'}",
            reason="ORDER_NOT_CANCELLABLE",
            metadata={"order_id": order_id, "state": state},
        )


class OrderNotShippable(errors.FailedPrecondition):
    """The order's state does not allow anything to be sent."""

    def __init__(self, order_id: str, state: str) -> None:
        super().__init__(
            f"order {order_id} is {state} and can't be shipped",
            reason="ORDER_NOT_SHIPPABLE",
            metadata={"order_id": order_id, "state": state},
        )


class OrderNotReturnable(errors.FailedPrecondition):
    """Nothing of the order can come back, because nothing has left."""

    def __init__(self, order_id: str, state: str) -> None:
        super().__init__(
            f"order {order_id} is {state} and nothing of it can be returned",
            reason="ORDER_NOT_RETURNABLE",
            metadata={"order_id": order_id, "state": state},
        )


class OrderNotRefundable(errors.FailedPrecondition):
    """No money was taken for the order."""

    def __init__(self, order_id: str, state: str) -> None:
        super().__init__(
            f"order {order_id} is {state} and no money was taken for it yet",
            reason="ORDER_NOT_REFUNDABLE",
            metadata={"order_id": order_id, "state": state},
        )


class OrderBusy(errors.Aborted):
    """Something else is being done with the order, such as a shipment: one thing comes after the other."""

    def __init__(self, order_id: str) -> None:
        super().__init__(
            f"something else is being done with order {order_id}; send it again a little later",
            reason="ORDER_BUSY",
            metadata={"order_id": order_id},
            retry_after=timedelta(seconds=1),
        )


class ShipmentNotFound(errors.NotFound):
    """The order has no such shipment."""

    def __init__(self, order_id: str, shipment_id: str) -> None:
        super().__init__(
            f"order {order_id} has no shipment {shipment_id}",
            reason="SHIPMENT_NOT_FOUND",
            metadata={"order_id": order_id, "shipment_id": shipment_id},
        )


class ShipmentNotDeliverable(errors.FailedPrecondition):
    """The shipment never left."""

    def __init__(self, shipment_id: str, state: str) -> None:
        super().__init__(
            f"shipment {shipment_id} is {state} and can't be delivered",
            reason="SHIPMENT_NOT_DELIVERABLE",
            metadata={"shipment_id": shipment_id, "state": state},
        )


class ReturnNotFound(errors.NotFound):
    """The order has no such return."""

    def __init__(self, order_id: str, return_id: str) -> None:
        super().__init__(
            f"order {order_id} has no return {return_id}",
            reason="RETURN_NOT_FOUND",
            metadata={"order_id": order_id, "return_id": return_id},
        )


class ReturnSettled(errors.FailedPrecondition):
    """What was asked is not what comes next for the return."""

    def __init__(self, return_id: str, state: str) -> None:
        super().__init__(
            f"return {return_id} is {state}",
            reason=f"RETURN_{state}",
            metadata={"return_id": return_id, "state": state},
        )


class SkuNotInOrder(errors.InvalidArgument):
    """Some lines name SKUs that the order, or the part of it that is meant, does not have."""

    def __init__(self, order_id: str, lines: list[int]) -> None:
        super().__init__(
            f"some SKUs are not in order {order_id}",
            reason="SKU_NOT_IN_ORDER",
            violations=[errors.FieldViolation(f"lines[{at}].sku", "not there", "SKU_NOT_IN_ORDER") for at in lines],
        )


class UnitsNotLeft(errors.FailedPrecondition):
    """Some lines ask for more units than there are left: they were shipped, cancelled or sent back before."""

    def __init__(self, order_id: str, left: Mapping[int, int]) -> None:
        super().__init__(
            f"not so many units are left of order {order_id}",
            reason="UNITS_NOT_LEFT",
            metadata={"order_id": order_id},
            violations=[
                errors.FieldViolation(f"lines[{at}].quantity", f"{units} are left", "UNITS_NOT_LEFT")
                for at, units in left.items()
            ],
        )


class RefundTooMuch(errors.FailedPrecondition):
    """More than was taken and not given back yet."""

    def __init__(self, order_id: str, left: Money) -> None:
        super().__init__(
            f"of order {order_id} {left} can be given back",
            reason="REFUND_TOO_MUCH",
            metadata={"order_id": order_id, "left": str(left.minor_units), "currency_code": left.currency_code},
            violations=[errors.FieldViolation("amount", f"at most {left}", "REFUND_TOO_MUCH")],
        )


class RefundCurrencyDiffers(errors.InvalidArgument):
    """The amount is in another currency than the order."""

    def __init__(self, order_id: str, currency_code: str) -> None:
        super().__init__(
            f"order {order_id} is in {currency_code}",
            reason="CURRENCY_DIFFERS",
            violations=[errors.FieldViolation("amount.currency_code", f"must be {currency_code}", "CURRENCY_DIFFERS")],
        )


class OrderChanged(errors.Aborted):
    """Somebody else changed the order since the caller read it: read it again and decide anew."""

    def __init__(self, order_id: str) -> None:
        super().__init__(
            f"order {order_id} has changed since it was read; get it again",
            reason="ORDER_CHANGED",
            metadata={"order_id": order_id},
        )


class IdempotencyKeyReused(errors.AlreadyExists):
    """The idempotency key was used before, by the same customer, for an order with other content."""

    def __init__(self, key: str) -> None:
        super().__init__(
            "this idempotency key was used for an order with other content; use a new key for a new order",
            reason="IDEMPOTENCY_KEY_REUSED",
            violations=[errors.FieldViolation("request_id", f"{key!r} was used before", "IDEMPOTENCY_KEY_REUSED")],
        )


class UnknownSku(errors.InvalidArgument):
    """Some lines name SKUs that are not sold, or not in the currency asked for."""

    def __init__(self, lines: list[int], currency_code: str) -> None:
        super().__init__(
            "some SKUs are not sold",
            reason="SKU_NOT_FOUND",
            violations=[
                errors.FieldViolation(
                    f"lines[{line}].sku", f"there is no such SKU with a price in {currency_code}", "SKU_NOT_FOUND"
                )
                for line in lines
            ],
        )
