"""What inventory refuses, and why."""

from collections.abc import Iterable, Sequence

from mesh import errors


class StockNotFound(errors.NotFound):
    """None of the SKU was ever received."""

    def __init__(self, sku: str, warehouse_code: str = "") -> None:
        where = f" in warehouse {warehouse_code}" if warehouse_code else ""
        super().__init__(f"there is no stock of {sku}{where}", reason="STOCK_NOT_FOUND", metadata={"sku": sku})


class WarehouseNotFound(errors.NotFound):
    """There is no warehouse of that code, or none at all."""

    def __init__(self, code: str) -> None:
        super().__init__(
            f"there is no warehouse {code!r}" if code else "there is no warehouse yet; create one first",
            reason="WAREHOUSE_NOT_FOUND",
            violations=[errors.FieldViolation("warehouse_code", "no such warehouse", "WAREHOUSE_NOT_FOUND")],
        )


class WarehouseCodeTaken(errors.AlreadyExists):
    """Another warehouse has the code."""

    def __init__(self, code: str) -> None:
        super().__init__(
            f"there is a warehouse {code!r} already",
            reason="WAREHOUSE_CODE_TAKEN",
            violations=[errors.FieldViolation("code", "taken", "WAREHOUSE_CODE_TAKEN")],
        )


class RequestIdReused(errors.AlreadyExists):
    """The request id was used for something else."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            "this request id was used for something else; use a new one",
            reason="IDEMPOTENCY_KEY_REUSED",
            violations=[
                errors.FieldViolation("request_id", f"{request_id!r} was used before", "IDEMPOTENCY_KEY_REUSED")
            ],
        )


class OutOfStock(errors.FailedPrecondition):
    """Not all lines can be held, so none is. `skus` in the metadata names those that are short, by comma."""

    def __init__(self, skus: Sequence[str]) -> None:
        super().__init__(
            f"not enough in stock of {', '.join(skus)}", reason="OUT_OF_STOCK", metadata={"skus": ",".join(skus)}
        )


class NotOnHand(errors.FailedPrecondition):
    """More units should leave a warehouse than may; `most` is how many may."""

    def __init__(self, sku: str, warehouse_code: str, most: int) -> None:
        super().__init__(
            f"only {most} units of {sku} can leave warehouse {warehouse_code}",
            reason="NOT_ON_HAND",
            metadata={"sku": sku, "warehouse_code": warehouse_code, "most": str(most)},
            violations=[errors.FieldViolation("quantity", f"at most {most}", "NOT_ON_HAND")],
        )


class ReservationNotFound(errors.NotFound):
    """The order has no reservation."""

    def __init__(self, order_id: str) -> None:
        super().__init__(
            f"there is no reservation for order {order_id}",
            reason="RESERVATION_NOT_FOUND",
            metadata={"order_id": order_id},
        )


class ReservationSettled(errors.FailedPrecondition):
    """What was asked can't be done any more: the reservation was released or committed."""

    def __init__(self, order_id: str, state: str) -> None:
        super().__init__(
            f"the reservation of order {order_id} is {state}",
            reason=f"RESERVATION_{state}",
            metadata={"order_id": order_id, "state": state},
        )


class NotHeld(errors.FailedPrecondition):
    """Fewer units of a SKU are held for the order (in that warehouse) than are asked for."""

    def __init__(self, order_id: str, sku: str, held: int) -> None:
        super().__init__(
            f"only {held} units of {sku} are held there for order {order_id}",
            reason="NOT_HELD",
            metadata={"order_id": order_id, "sku": sku, "held": str(held)},
            violations=[errors.FieldViolation("lines", f"at most {held} units of {sku}", "NOT_HELD")],
        )


class StockBackordered(errors.FailedPrecondition):
    """Units that have not arrived can't leave. `skus` in the metadata names them, by comma."""

    def __init__(self, order_id: str, skus: Iterable[str]) -> None:
        named = sorted(set(skus))
        super().__init__(
            f"units of {', '.join(named)} have not arrived yet",
            reason="STOCK_BACKORDERED",
            metadata={"order_id": order_id, "skus": ",".join(named)},
        )


class CommitNotFound(errors.FailedPrecondition):
    """Nothing of the order was committed with that request id."""

    def __init__(self, order_id: str, request_id: str) -> None:
        super().__init__(
            f"nothing was committed with request id {request_id!r} for order {order_id}",
            reason="NOT_COMMITTED",
            metadata={"order_id": order_id},
            violations=[errors.FieldViolation("request_id", "nothing was committed with it", "NOT_COMMITTED")],
        )


class NotCommitted(errors.FailedPrecondition):
    """More units should come back than have left and not come back yet."""

    def __init__(self, order_id: str, sku: str, most: int) -> None:
        super().__init__(
            f"only {most} units of {sku} can come back from order {order_id}",
            reason="NOT_COMMITTED",
            metadata={"order_id": order_id, "sku": sku, "most": str(most)},
            violations=[errors.FieldViolation("lines", f"at most {most} units of {sku}", "NOT_COMMITTED")],
        )
