"""A gateway that tells of disputes: each notification twice, in any order, all at once; and one that it never sent."""

import asyncio
import random
import uuid

import httpx

from tests.chaos.soak.caller import FIRST_PAUSE_S, LONGEST_PAUSE_S
from tests.chaos.soak.tally import Tally
from tests.e2e.shop import Json
from tests.e2e.webhooks import PATH, signed

STAGES = ("dispute.opened", "dispute.funds_withdrawn", "dispute.won")
FORGED = "whsec_" + "Zm9yZ2Vk" * 4
AMOUNT = 100


class Gateway:
    """The sandbox, as far as it calls us."""

    def __init__(self, http: httpx.AsyncClient, secret: str, tally: Tally, dice: random.Random) -> None:
        """`secret`: what it signs with."""
        self._http, self._secret, self._tally, self._dice = http, secret, tally, dice
        self.disputed: dict[str, str] = {}
        """Payments that were disputed, by their id: the gateway's id of the dispute."""

    async def dispute(self, order: Json) -> None:
        """Tell of a dispute that is opened, costs money, and is won, so that nothing is left of it."""
        payment_id, dispute_id = order["paymentId"], f"dp_{uuid.uuid4().hex[:12]}"
        self.disputed[payment_id] = dispute_id
        about = {
            "payment_id": payment_id,
            "dispute_id": dispute_id,
            "amount": AMOUNT,
            "currency_code": "EUR",
            "reason": "fraud",
        }
        told = [(stage, f"{dispute_id}-{stage}") for stage in STAGES] * 2
        self._dice.shuffle(told)
        async with asyncio.TaskGroup() as at_once:
            for stage, message_id in told:
                at_once.create_task(self._tell(stage, message_id, about))
            at_once.create_task(self._forge(about))

    async def _tell(self, stage: str, message_id: str, about: dict[str, object]) -> None:
        """Tell until it is taken in, as gateways do."""
        pause = FIRST_PAUSE_S
        while not await self._took("ReceiveWebhook", self._secret, stage, message_id, about, 200):
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _forge(self, about: dict[str, object]) -> None:
        """Somebody else says that the dispute was lost."""
        await self._took("ReceiveWebhook, forged", FORGED, "dispute.lost", str(uuid.uuid4()), about, 401)

    async def _took(  # noqa: PLR0913, PLR0917 - all of a delivery
        self, method: str, secret: str, stage: str, message_id: str, about: dict[str, object], expected: int
    ) -> bool:
        body, headers = signed(secret, stage, message_id, about)
        begun = asyncio.get_running_loop().time()
        try:
            reply = await self._http.post(PATH, content=body, headers=headers)
        except httpx.TransportError as failure:
            self._tally.count(method, type(failure).__name__, 0)
            return False
        good = reply.status_code == expected
        took = asyncio.get_running_loop().time() - begun
        self._tally.count(method, "OK" if good else f"{reply.status_code}", took)
        if not good and reply.status_code < 429:
            self._tally.surprise(f"{method} {stage}: {reply.status_code} {reply.text}")
        return good
