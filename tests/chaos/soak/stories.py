"""What becomes of an order in the soak: each customer goes from one story to the next, with staff who do their part.

Whatever dies meanwhile, a story ends as it is meant to, or nobody was told otherwise: what a caller was answered last
must be found in the end.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tests.chaos.soak.caller import Answer, Caller, Unanswered
from tests.chaos.soak.tally import Tally
from tests.e2e.shop import Json, order_of

SETTLED = frozenset({"CONFIRMED", "REJECTED", "CANCELLED", "PARTIALLY_SHIPPED", "SHIPPED", "DELIVERED"})
OUTCOMES = {"tok_visa": {""}, "tok_lost_reply": {""}, "tok_declined": {"CARD_DECLINED"}}
"""Why an order is rejected, by its means of payment; empty: it is confirmed."""

SOLD_OUT = {"OUT_OF_STOCK"}
UNDECIDED = {"GATEWAY_TIMEOUT", "TIMED_OUT"}
"""Nobody could say in time whether the money is held: then it is not, and the customer is told so."""

LOOK_S = 0.5
LOOKS = 240


@dataclass(frozen=True)
class Market:
    """What is on sale: much of some things, and too little of others."""

    plenty: Sequence[str]
    scarce: Sequence[str]


class Story:
    """One order of one customer."""

    def __init__(self, customer: Caller, staff: Caller, market: Market, tally: Tally, dice: random.Random) -> None:
        """`dice`: seeded, so that a run can be told again as far as chance goes."""
        self._customer, self._staff = customer, staff
        self._market, self._tally, self._dice = market, tally, dice
        self.order: Json = {}

    async def tell(self) -> Json | None:
        """Place an order and have something become of it; gives it if money of it was taken."""
        try:
            await self._place()
            if self.order.get("state") == "CONFIRMED":
                plots, weights = zip(*self._plots.items(), strict=True)
                (plot,) = self._dice.choices(plots, weights)
                await plot()
                await self._look()
        except Unanswered:
            # The last answer was lost, so nothing is known.
            self._tally.promised.pop(self.order.get("id", ""), None)
            return None
        return self.order if self.order.get("shipments") else None

    @property
    def _plots(self) -> dict[Callable[[], Awaitable[None]], int]:
        return {
            self._wait: 5,
            self._cancel: 3,
            self._cancel_a_part: 2,
            self._ship: 4,
            self._ship_in_parts: 3,
            self._send_back: 4,
            self._be_generous: 2,
            self._cancel_and_ship_at_once: 2,
        }

    async def _place(self) -> None:
        (token,) = self._dice.choices(list(OUTCOMES), (90, 4, 6))
        scarce = self._dice.random() < 0.05
        sku = self._dice.choice(self._market.scarce if scarce else self._market.plenty)
        body = order_of(sku, self._dice.randint(1, 3), token)
        answer = await self._customer.ask("CreateOrder", "POST", "/api/v1/orders", body)
        if not answer.good:
            self._tally.surprise(f"CreateOrder: {answer.status} {answer.body}")
            return
        self._saw(answer.body)
        await self._settled()
        reason = self.order.get("rejection", {}).get("reason", "")
        if reason not in UNDECIDED | OUTCOMES[token] | (SOLD_OUT if scarce else set()):
            self._tally.surprise(f"{token} x {sku}: {self.order['state']} {reason}")
        self._tally.rejected[reason] += bool(reason)

    async def _wait(self) -> None:
        """A customer who only looks."""
        await self._customer.get("ListOrderTimeline", f"{self._path}/timeline")

    async def _cancel(self) -> None:
        self._must(await self._customer.ask("CancelOrder", "POST", f"{self._path}:cancel", {"reason": "soaked"}))
        await self._settled()

    async def _cancel_a_part(self) -> None:
        if self._quantity > 1:
            body = {"lines": self._units(1), "reason": "fewer"}
            self._must(await self._customer.ask("CancelOrderLines", "POST", f"{self._path}:cancelLines", body))

    async def _ship(self) -> None:
        await self._send()
        await self._deliver()

    async def _ship_in_parts(self) -> None:
        for _ in range(self._quantity):
            await self._send(1)
        await self._deliver()

    async def _send_back(self) -> None:
        await self._send()
        await self._settled()
        body = {"shipmentId": self.order["shipments"][0]["id"], "lines": self._units(self._quantity), "reason": "no"}
        back = self._must(await self._customer.ask("CreateReturn", "POST", f"{self._path}/returns", body))
        if back:
            here = f"{self._path}/returns/{back['id']}"
            self._must(await self._staff.ask("ApproveReturn", "POST", f"{here}:approve", {}))
            restocked = self._dice.randint(0, self._quantity)
            found = {"sku": self._sku, "receivedQuantity": self._quantity, "restockedQuantity": restocked}
            self._must(await self._staff.ask("ReceiveReturn", "POST", f"{here}:receive", {"lines": [found]}))

    async def _be_generous(self) -> None:
        await self._send()
        # A shipment may be answered while its money is still being taken; before that there is none to give back.
        await self._settled()
        amount = {"currencyCode": "EUR", "units": str(self._dice.randint(1, 9))}
        self._must(await self._staff.ask("CreateRefund", "POST", f"{self._path}/refunds", {"amount": amount}))
        self._must(await self._staff.ask("CreateRefund", "POST", f"{self._path}/refunds", {}))

    async def _cancel_and_ship_at_once(self) -> None:
        cancelled, shipped = await asyncio.gather(
            self._customer.ask("CancelOrder", "POST", f"{self._path}:cancel", {}),
            self._staff.ask("CreateShipment", "POST", f"{self._path}/shipments", {}),
        )
        if cancelled.good == shipped.good:
            self._tally.surprise(f"{self._path}: cancelling said {cancelled.body}, shipping {shipped.body}")

    async def _send(self, quantity: int = 0) -> None:
        body: Json = {"lines": self._units(quantity)} if quantity else {}
        parcel = self._must(await self._staff.ask("CreateShipment", "POST", f"{self._path}/shipments", body))
        if parcel.get("state") == "FAILED":
            self._tally.surprise(f"{self._path}: {parcel}")

    async def _deliver(self) -> None:
        await self._settled()
        for parcel in self.order["shipments"]:
            path = f"{self._path}/shipments/{parcel['id']}:deliver"
            self._must(await self._staff.ask("DeliverShipment", "POST", path, {}))

    async def _look(self) -> None:
        """Read how it ended: from now on nobody touches the order."""
        await self._settled()
        self._tally.promised[self.order["id"]] = self.order["state"]

    async def _settled(self) -> None:
        """Wait until nothing is under way; an answer that came before its time says how far it was."""
        for _ in range(LOOKS):
            self._saw(await self._customer.get("GetOrder", self._path))
            if self.order.get("state") in SETTLED and not self._under_way:
                return
            await asyncio.sleep(LOOK_S)
        self._tally.surprise(f"{self._path} is not settled after {LOOKS * LOOK_S:g} s: {self.order}")

    def _must(self, answer: Answer) -> Json:
        if not answer.good:
            self._tally.surprise(f"{self._path}: {answer.status} {answer.body}")
            return {}
        return answer.body

    def _saw(self, order: Json) -> None:
        if "id" in order:
            self.order = order
            self._tally.promised[order["id"]] = ""

    @property
    def _under_way(self) -> bool:
        parts = [part for kind in ("shipments", "lineCancellations", "refunds") for part in self.order.get(kind, [])]
        returns = [part["state"] for part in self.order.get("returns", [])]
        return any(part["state"] == "PENDING" for part in parts) or "RECEIVED" in returns

    @property
    def _path(self) -> str:
        return f"/api/v1/orders/{self.order['id']}"

    @property
    def _sku(self) -> str:
        return str(self.order["lines"][0]["sku"])

    @property
    def _quantity(self) -> int:
        return int(self.order["lines"][0]["quantity"])

    def _units(self, quantity: int) -> list[Json]:
        return [{"sku": self._sku, "quantity": quantity}]
