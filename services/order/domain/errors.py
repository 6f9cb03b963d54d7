"""What can be wrong with a request about an order."""

from mesh import errors


class OrderNotFound(errors.NotFound):
    """There is no such order, or it is somebody else's, which callers must not be able to tell apart."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"there is no order {order_id}", reason="ORDER_NOT_FOUND", metadata={"order_id": order_id})


class OrderNotCancellable(errors.FailedPrecondition):
    """The order's state does not allow it to be cancelled."""

    def __init__(self, order_id: str, state: str) -> None:
        super().__init__(
            f"order {order_id} is {state} and can't be cancelled",
            reason="ORDER_NOT_CANCELLABLE",
            metadata={"order_id": order_id, "state": state},
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
