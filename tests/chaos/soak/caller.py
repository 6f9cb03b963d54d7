"""Somebody who calls the REST API as a good client does: they ask again, with the same key, until they are answered."""

import asyncio
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

import httpx

from tests.chaos.soak.tally import Tally
from tests.e2e.shop import Json

PATIENCE_S = 90.0
"""Longer than anything takes to come back."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 2.0
PASSES = frozenset({408, 425, 429})
"""Beside all from 500 on: what is answered otherwise a little later."""

BUSY = frozenset({"ORDER_BUSY", "ABORTED"})


class Unanswered(Exception):
    """There was no answer for as long as they could wait."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A definite answer: what was asked for, or the reason why not."""

    status: int
    body: Json

    @property
    def good(self) -> bool:
        """Whether it was done."""
        return self.status < 300

    @property
    def reason(self) -> str:
        """Why not."""
        reasons = (each["reason"] for each in self.body.get("details", []) if each["@type"].endswith("ErrorInfo"))
        return str(next(reasons, ""))


class Caller:
    """One user."""

    def __init__(self, http: httpx.AsyncClient, token: str, tally: Tally) -> None:
        """`tally` counts what they ask."""
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._tally = tally

    async def ask(self, method: str, verb: str, path: str, body: Json | None = None) -> Answer:
        """Ask until there is a definite answer. Raises Unanswered."""
        own = {"Idempotency-Key": str(uuid.uuid4())} if verb == "POST" else {}
        deadline, pause = time.monotonic() + PATIENCE_S, FIRST_PAUSE_S
        while True:
            answer = await self._once(method, verb, path, body, own)
            if answer is not None:
                return answer
            if time.monotonic() > deadline:
                self._tally.given_up += 1
                raise Unanswered(f"{method} {path}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def get(self, method: str, path: str) -> Json:
        """Read what must be there."""
        answer = await self.ask(method, "GET", path)
        if not answer.good:
            self._tally.surprise(f"{method} {path}: {answer.status} {answer.body}")
        return answer.body

    async def _once(self, method: str, verb: str, path: str, body: Json | None, own: dict[str, str]) -> Answer | None:
        """Call once; None when it is worth asking again."""
        begun = time.monotonic()
        try:
            reply = await self._http.request(verb, path, json=body, headers=self._headers | own)
            content: Any = reply.json()
        except httpx.TransportError as failure:
            self._count(method, type(failure).__name__, begun)
            return None
        except json.JSONDecodeError:
            # Every answer of the edge is JSON, errors too.
            self._tally.surprise(f"{method} {path}: {reply.status_code}, not JSON: {reply.text[:200]}")
            self._count(method, f"{reply.status_code} not JSON", begun)
            return None
        answer = Answer(reply.status_code, content)
        self._count(method, "OK" if answer.good else f"{answer.status} {answer.reason}", begun)
        again = answer.status >= 500 or answer.status in PASSES or answer.reason in BUSY
        return None if again else answer

    def _count(self, method: str, outcome: str, begun: float) -> None:
        self._tally.count(method, outcome, time.monotonic() - begun)
