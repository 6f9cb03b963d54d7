"""Orders that live through anything the table of transitions allows, drawn by hypothesis."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from hypothesis import strategies as st

from mesh import errors
from services.common.ids import new_id
from services.common.money import Money
from services.order.domain import fulfilment, placing, refunds, returns
from services.order.domain.order import Charges, Line, Order
from services.order.domain.parts import LineCancellation, Refund, Rejection, Return, Shipment, Units
from services.order.domain.pricing import TaxRate, tax_on
from tests.unit.services.order.fakes import CUSTOMER, NOW

FAILURE = Rejection("GATEWAY_REFUSED", "no")


@st.composite
def placed_orders(draw: st.DrawFn) -> Order:
    """Place an order with any prices, tax and shipping."""
    rate = draw(st.none() | st.builds(TaxRate, st.fractions(0, Fraction(1, 2), max_denominator=1000), st.booleans()))
    shipping = Money("EUR", draw(st.integers(0, 2000)))
    lines = []
    for number in range(draw(st.integers(1, 4))):
        line = Line(f"S{number}", draw(st.integers(1, 7)), new_id(), "Thing", Money("EUR", draw(st.integers(0, 2000))))
        lines.append(line if rate is None else Line(*_fields(line), tax_on(line.amount, rate)))
    tax = Money("EUR", 0) if rate is None else tax_on(shipping, rate)
    charges = Charges(shipping, tax, tax_included=rate is not None and rate.included)
    return placing.place(new_id(), CUSTOMER, tuple(lines), {"region_code": "DE"}, NOW, charges)


def _fields(line: Line) -> tuple[str, int, str, str, Money]:
    return line.sku, line.quantity, line.product_id, line.name, line.unit_price


@dataclass
class Walk:
    """The versions an order went through, the last one now."""

    draw: st.DrawFn
    history: list[Order] = field(default_factory=list)

    @property
    def now(self) -> Order:
        """The order as it stands."""
        return self.history[-1]

    def go(self, steps: int) -> None:
        """Try so many things; what is refused changes nothing."""
        for _ in range(steps):
            self._settle()
            kind = self.draw(st.sampled_from(["ship", "cancel", "deliver", "return", "decide", "receive", "refund"]))
            try:
                self._took(getattr(self, f"_{kind}")(self.now))
            except errors.Error:
                continue
        self._settle()

    def _took(self, order: Order) -> None:
        if order is not self.now:
            self.history.append(order)

    def _settle(self) -> None:
        while (part := self.now.under_way) is not None:
            self._took(self._outcome(self.now, part))

    def _outcome(self, order: Order, part: Shipment | LineCancellation | Return | Refund) -> Order:
        match part:
            case Shipment() if part.failure:
                return fulfilment.fail_shipment(order, part, part.failure, NOW)
            case Shipment():
                end = self.draw(
                    st.sampled_from([fulfilment.fail_shipment, fulfilment.refuse_shipment, None, None, None])
                )
                return end(order, part, FAILURE, NOW) if end else fulfilment.ship(order, part, NOW)
            case LineCancellation():
                return fulfilment.cancel_lines(order, part, NOW)
            case Return():
                return returns.complete(order, part, NOW)
            case Refund():
                failed = self.draw(st.integers(0, 3)) == 0
                return refunds.fail_refund(order, part, FAILURE, NOW) if failed else refunds.refund(order, part, NOW)

    def _units(self, order: Order) -> tuple[Units, ...]:
        found = ((line.sku, self.draw(st.integers(0, line.left + (line.left == 0)))) for line in order.lines)
        return tuple(Units(sku, quantity) for sku, quantity in found if quantity)

    def _ship(self, order: Order) -> Order:
        return fulfilment.request_shipment(order, new_id(), fulfilment.Parcel(self._units(order), "dhl", "1"), NOW)

    def _cancel(self, order: Order) -> Order:
        if not (units := self._units(order)):
            return order
        return fulfilment.request_line_cancellation(order, new_id(), units, "no need", NOW)

    def _deliver(self, order: Order) -> Order:
        return fulfilment.deliver(order, self._one_of([each.id for each in order.shipments]), NOW)

    def _return(self, order: Order) -> Order:
        shipment = fulfilment.find_shipment(order, self._one_of([each.id for each in order.shipments]))
        units = tuple(Units(line.sku, self.draw(st.integers(1, line.quantity))) for line in shipment.lines)
        return returns.request_return(order, new_id(), shipment.id, units, "too dark", NOW)

    def _decide(self, order: Order) -> Order:
        decide = self.draw(st.sampled_from([returns.approve, returns.approve, returns.reject]))
        return decide(order, self._one_of([each.id for each in order.returns]), "hm", NOW)

    def _receive(self, order: Order) -> Order:
        back = returns.find_return(order, self._one_of([each.id for each in order.returns]))
        found = []
        for line in back.lines:
            came = self.draw(st.integers(1, line.quantity))
            found.append(returns.Inspection(line.sku, came, self.draw(st.integers(0, came))))
        return returns.receive(order, back.id, found, "", new_id(), NOW)

    def _refund(self, order: Order) -> Order:
        amount = self.draw(st.none() | st.builds(Money, st.just("EUR"), st.integers(1, 3000)))
        return refunds.request_refund(order, new_id(), amount, "sorry", NOW)

    def _one_of(self, ids: list[str]) -> str:
        return self.draw(st.sampled_from(ids)) if ids else new_id()


@st.composite
def walks(draw: st.DrawFn, most: int = 12) -> list[Order]:
    """Confirm an order and let things happen to it."""
    walk = Walk(draw, [draw(placed_orders())])
    walk.history.append(placing.reserve_stock(walk.now, new_id(), NOW))
    walk.history.append(placing.confirm(walk.now, new_id(), NOW))
    walk.go(draw(st.integers(0, most)))
    return walk.history


def shares(order: Order) -> Iterator[Money]:
    """List what each unit that is gone took of the total."""
    yield from (each.amount for each in order.shipments if each.state in {"SHIPPED", "DELIVERED"})
    yield from (each.amount for each in order.line_cancellations if each.state == "COMPLETED")
