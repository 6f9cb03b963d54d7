"""An account at Stripe: its own mock judges every request, and here is what the mock doesn't have, a memory.

Idempotency keys are kept as Stripe documents them: the same request gets the first answer, another one is refused.
"""

import itertools
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import aiohttp
from aiohttp import web

HOST = "127.0.0.1"
DECLINED = "pm_card_chargeDeclined"
Json = dict[str, Any]


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def stripe_mock(program: Path) -> Iterator[str]:
    """Run Stripe's mock, on loopback only; give its address."""
    ports = (free_port(), free_port())
    addresses = ["-http-addr", f"{HOST}:{ports[0]}", "-https-addr", f"{HOST}:{ports[1]}"]
    process = subprocess.Popen([program, *addresses], stdout=subprocess.DEVNULL)  # noqa: S603 - the component
    try:
        _await(ports[0], process)
        yield f"http://{HOST}:{ports[0]}"
    finally:
        process.terminate()
        process.wait(10)


def _await(port: int, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        try:
            socket.create_connection((HOST, port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"stripe-mock ended with {process.returncode}")


class StripeAccount:
    """What of the account a test may set.

    - `mute`: requests take effect, and the connection is dropped before the reply.
    - `searchable`: whether the search has caught up.
    - `forgotten`: idempotency keys are older than a day.
    """

    def __init__(self, mock: str) -> None:
        """`mock`: address of Stripe's mock."""
        self.mute = False
        self.searchable = True
        self.forgotten = False
        self.intents: dict[str, Json] = {}
        self.refunds: dict[str, Json] = {}
        self.transactions: list[Json] = []
        self.requests: list[str] = []
        self._mock = mock
        self._keys: dict[str, tuple[str, int, Json]] = {}
        self._numbers = itertools.count(1)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one request."""
        self.requests.append(f"{request.method} {request.path}")
        body = await request.text()
        judged = await self._judged(request, body)
        status, answer = judged if judged[0] != 200 else self._remembered(request, body, judged[1])
        if self.mute and request.transport is not None:
            request.transport.abort()
        return web.json_response(answer, status=status)

    async def _judged(self, request: web.Request, body: str) -> tuple[int, Json]:
        headers = {"authorization": "Bearer sk_test_x", "content-type": "application/x-www-form-urlencoded"}
        url = self._mock + str(request.rel_url)
        async with (
            aiohttp.ClientSession() as session,
            session.request(request.method, url, data=body, headers=headers) as reply,
        ):
            return reply.status, await reply.json(content_type=None)

    def _remembered(self, request: web.Request, body: str, mocked: Json) -> tuple[int, Json]:
        key = request.headers.get("idempotency-key", "")
        if request.method == "POST" and key in self._keys and not self.forgotten:
            fingerprint, status, answer = self._keys[key]
            same = fingerprint == request.path + body
            return (status, answer) if same else (400, _error("idempotency_error", "idempotency_key_in_use"))
        status, answer = self._answer(request, {k: v[0] for k, v in parse_qs(body).items()}, mocked)
        if request.method == "POST":
            self._keys[key] = (request.path + body, status, answer)
        return status, answer

    def _answer(self, request: web.Request, form: dict[str, str], mocked: Json) -> tuple[int, Json]:  # noqa: PLR0911
        match request.method, request.path.strip("/").split("/")[1:]:
            case "POST", ["payment_intents"]:
                return self._created(form, mocked)
            case "GET", ["payment_intents", "search"]:
                return 200, {**mocked, "data": self._found(request.query["query"]), "has_more": False}
            case "GET", ["payment_intents", intent]:
                return 200, self.intents[intent]
            case "POST", ["payment_intents", intent, "capture"]:
                return self._captured(self.intents[intent], form)
            case "POST", ["payment_intents", intent, "cancel"]:
                return self._canceled(self.intents[intent])
            case "POST", ["refunds"]:
                return self._refunded(form, mocked)
            case "GET", ["refunds"]:
                return 200, {**mocked, "data": list(self.refunds.values()), "has_more": False}
            case "GET", ["balance_transactions"]:
                return 200, {**mocked, "data": self.transactions, "has_more": False}
        raise AssertionError(request.path)

    def _created(self, form: dict[str, str], mocked: Json) -> tuple[int, Json]:
        number = next(self._numbers)
        charge = {
            "id": f"ch_{number}",
            "object": "charge",
            "payment_method_details": {"card": {"capture_before": 4_000_000_000}},
        }
        token = form.get("payment_method")
        amount = int(form["amount"])
        intent = mocked | {
            "id": f"pi_{number}", "amount": amount,
            "status": "requires_capture" if token else "requires_payment_method",
            "amount_capturable": amount if token else 0, "amount_received": 0, "latest_charge": charge,
            "last_payment_error": None, "metadata": {"payment_id": form["metadata[payment_id]"]},
        }  # fmt: skip
        self.intents[intent["id"]] = intent
        if token == DECLINED:
            intent.update(status="requires_payment_method", amount_capturable=0)
            return 402, _error("card_error", "card_declined")
        return 200, intent

    def _found(self, query: str) -> list[Json]:
        wanted = query.split("'")[-2]
        found = [each for each in self.intents.values() if each["metadata"].get("payment_id") == wanted]
        return found if self.searchable else []

    def _captured(self, intent: Json, form: dict[str, str]) -> tuple[int, Json]:
        amount = int(form["amount_to_capture"])
        if intent["status"] != "requires_capture" or amount > intent["amount_capturable"]:
            return 400, _error("invalid_request_error", "payment_intent_unexpected_state")
        final = form.get("final_capture", "true") == "true"
        intent["amount_received"] += amount
        intent["amount_capturable"] = 0 if final else intent["amount_capturable"] - amount
        intent["status"] = "succeeded" if final else "requires_capture"
        intent["metadata"]["operation_id"] = form.get("metadata[operation_id]", "")
        return 200, json.loads(json.dumps(intent))

    @staticmethod
    def _canceled(intent: Json) -> tuple[int, Json]:
        if intent["status"] == "succeeded":
            return 400, _error("invalid_request_error", "payment_intent_unexpected_state")
        intent.update(status="canceled", amount_capturable=0)
        return 200, intent

    def _refunded(self, form: dict[str, str], mocked: Json) -> tuple[int, Json]:
        intent = self.intents[form["payment_intent"]]
        amount = int(form["amount"])
        given = sum(each["amount"] for each in self.refunds.values() if each["payment_intent"] == intent["id"])
        if given + amount > intent["amount_received"]:
            return 400, _error("invalid_request_error", "charge_already_refunded")
        refund = mocked | {
            "id": f"re_{next(self._numbers)}", "amount": amount, "status": "succeeded",
            "metadata": {"operation_id": form["metadata[operation_id]"]},
        }  # fmt: skip
        self.refunds[refund["id"]] = refund
        return 200, refund


class Served:
    """A web server on loopback for as long as a test lasts."""

    def __init__(self, handle: Any) -> None:  # noqa: ANN401 - aiohttp's handler
        """Serve every path."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        self._runner = web.AppRunner(app, shutdown_timeout=1)

    async def __aenter__(self) -> str:
        """Give the address."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, 0)
        await site.start()
        port = self._runner.addresses[0][1]
        return f"http://{HOST}:{port}"

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self._runner.cleanup()


def _error(kind: str, code: str) -> Json:
    return {"error": {"type": kind, "code": code, "message": code}}
