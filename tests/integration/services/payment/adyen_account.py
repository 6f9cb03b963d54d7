"""A merchant account at Adyen, by its documented protocol: Checkout API, idempotency keys, signed notifications.

Captures, cancels and refunds are accepted at once (`received`); what became of them is told by notification only.
"""

import itertools
import json
from datetime import UTC, datetime
from typing import Any

from Adyen.util import generate_notification_sig
from aiohttp import web

MERCHANT = "OrdermeshECOM"
API_KEY = "key"
HMAC_KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
DECLINED = "stored_declined"
Json = dict[str, Any]


class AdyenAccount:
    """What of the account a test may set.

    - `mute`: requests take effect, and the connection is dropped before the reply.
    """

    def __init__(self) -> None:
        """Nothing is there yet."""
        self.mute = False
        self.payments: dict[str, Json] = {}
        self.modifications: list[Json] = []
        self._keys: dict[str, tuple[int, Json]] = {}
        self._numbers = itertools.count(1)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one request."""
        body = await request.json()
        if request.headers.get("x-api-key") != API_KEY or body.get("merchantAccount") != MERCHANT:
            return web.json_response({"status": 401, "errorCode": "000"}, status=401)
        key = request.headers["idempotency-key"]
        if key not in self._keys:
            self._keys[key] = self._answer(request.path.split("/")[2:], body)
        status, answer = self._keys[key]
        if self.mute and request.transport is not None:
            request.transport.abort()
        return web.json_response(answer, status=status)

    def notification(self, code: str, psp: str, reference: str, *, success: bool = True, **more: object) -> bytes:
        """Write and sign a notification of one item."""
        item: Json = {
            "eventCode": code,
            "pspReference": psp,
            "merchantAccountCode": MERCHANT,
            "merchantReference": reference,
            "amount": {"value": 1000, "currency": "EUR"},
            "success": "true" if success else "false",
            "eventDate": datetime.now(UTC).isoformat(timespec="seconds"),
            **more,
        }
        item["additionalData"] = {"hmacSignature": generate_notification_sig(item, HMAC_KEY).decode()}
        return json.dumps({"live": "false", "notificationItems": [{"NotificationRequestItem": item}]}).encode()

    def _answer(self, path: list[str], body: Json) -> tuple[int, Json]:
        psp = f"PSP{next(self._numbers)}"
        match path:
            case ["payments"]:
                return self._paid(psp, body)
            case ["cancels"]:
                found = [each for each in self.payments.values() if each["reference"] == body["paymentReference"]]
                for each in found:
                    each["cancelled"] = True
            case ["payments", original, kind] if original in self.payments:
                return self._modified(psp, self.payments[original], kind, body)
            case _:
                return 422, {"status": 422, "errorCode": "167", "message": "Original pspReference required"}
        return 201, {"pspReference": psp, "status": "received"}

    def _paid(self, psp: str, body: Json) -> tuple[int, Json]:
        token = body["paymentMethod"]["storedPaymentMethodId"]
        if not token.startswith("stored_"):
            return 422, {"status": 422, "errorCode": "14_012", "message": "no such stored payment method"}
        if token == DECLINED:
            return 200, {"pspReference": psp, "resultCode": "Refused", "refusalReason": "NOT_ENOUGH_BALANCE"}
        self.payments[psp] = {"psp": psp, "reference": body["reference"], "cancelled": False, **body["amount"]}
        return 200, {"pspReference": psp, "resultCode": "Authorised", "merchantReference": body["reference"]}

    def _modified(self, psp: str, payment: Json, kind: str, body: Json) -> tuple[int, Json]:
        if kind == "cancels":
            payment["cancelled"] = True
        self.modifications.append({"psp": psp, "kind": kind, **body.get("amount", {})})
        return 201, {"pspReference": psp, "paymentPspReference": payment["psp"], "status": "received"}
