"""Adyen by its official library: Checkout API, payments that are captured by hand.

Adyen accepts captures, cancels and refunds at once and tells later, by notification, whether they came about. It has
nothing to look a payment up by: a request whose answer was lost is repeated with its idempotency key (Adyen keeps those
for a week), or cancelled by our reference. The library waits in threads.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from types import MappingProxyType
from typing import Any
from urllib.error import URLError

import Adyen
from Adyen.exceptions import AdyenError
from Adyen.services.checkout import AdyenCheckoutApi
from Adyen.util import is_valid_hmac_notification

from services.common.daemon_threads import DaemonThreads
from services.common.money import Money
from services.payment.adapters.adyen_events import fact_of
from services.payment.adapters.gateway import (
    Approved,
    Declined,
    Delivery,
    Done,
    GatewayDownError,
    GatewayUnreachableError,
    MalformedError,
    Movement,
    Refused,
    SignatureInvalidError,
)
from services.payment.domain.facts import Fact

NAME = "adyen"
HOLDS = timedelta(days=28)
"""How long Adyen keeps an authorization by default."""

NEWEST_AGE = timedelta(days=8)
"""Notifications carry no time of their signature. One about something older than this is not a delivery's retry."""

_TURNED_AWAY = frozenset({401, 403, 429})
_REFUSALS = frozenset({400, 404, 422})
_UNDECIDED = frozenset({"Received", "Pending", "PresentToShopper", "AuthenticationNotRequired"})
_REASONS: Mapping[str, str] = MappingProxyType(
    {"NOT_ENOUGH_BALANCE": "INSUFFICIENT_FUNDS", "REFUSED": "CARD_DECLINED", "CVC_DECLINED": "CARD_DECLINED"}
)

Answer = dict[str, Any]


class AdyenGateway:
    """Adyen as a Gateway."""

    name = NAME

    def __init__(  # noqa: PLR0913 - the account
        self,
        api_key: str,
        merchant_account: str,
        *,
        live_prefix: str | None,
        several_captures: bool,
        address: str | None,
        timeout: timedelta,
    ) -> None:
        """`several_captures`: whether the account has multiple partial captures. `address`: None is the real API."""
        self.captures_once = not several_captures
        self._merchant = merchant_account
        client = Adyen.AdyenClient(
            xapikey=api_key,
            platform="live" if live_prefix else "test",
            live_endpoint_prefix=live_prefix,
            http_force="urllib",
            http_timeout=timeout.total_seconds(),
        )
        checkout = AdyenCheckoutApi(client=client)
        self._payments, self._modifications = checkout.payments_api, checkout.modifications_api
        if address:
            self._payments.baseUrl = self._modifications.baseUrl = address
        self._threads = DaemonThreads()

    async def authorize(self, key: str, amount: Money, token: str) -> Approved | Declined:
        """Pay with a stored payment method, without the payer at hand."""
        request = {
            **self._about(key, amount),
            "paymentMethod": {"type": "scheme", "storedPaymentMethodId": token},
            "shopperInteraction": "ContAuth",
            "recurringProcessingModel": "CardOnFile",
            "shopperReference": "ordermesh",
            "additionalData": {"manualCapture": "true"},
        }
        try:
            answer = await self._ask(lambda: self._payments.payments(request, idempotency_key=key))
        except _RefusedError as refused:
            return Declined("INVALID_PAYMENT_TOKEN" if refused.status == 422 else "REFUSED_BY_GATEWAY")  # noqa: PLR2004
        return _decision(answer)

    async def find(self, key: str, amount: Money, token: str | None) -> Approved | Declined | None:
        """Repeat the call with its key. Without its token nothing can be told, and it is cancelled instead."""
        return None if token is None else await self.authorize(key, amount, token)

    async def cancel(self, key: str, reference: str) -> None:
        """Cancel by Adyen's reference, or else by ours.

        Should the payment come about later, its notification comes too, and it is cancelled then.
        """
        request = {"merchantAccount": self._merchant, "reference": key}
        try:
            if reference:
                await self._modify(
                    "cancel_authorised_payment_by_psp_reference", request, reference, f"{reference}-cancel"
                )
            else:
                by_ours = {**request, "paymentReference": key}
                await self._ask(
                    lambda: self._modifications.cancel_authorised_payment(by_ours, idempotency_key=f"{key}-cancel")
                )
        except _RefusedError as refused:
            if reference:
                raise GatewayUnreachableError(f"the payment can't be cancelled: {refused}") from refused

    async def capture(self, movement: Movement) -> Done | Refused:
        """Capture a part or all."""
        return await self._move("capture_authorised_payment", movement)

    async def release(self, movement: Movement) -> Done | Refused:  # noqa: ARG002
        """Adyen has nothing to give back a rest by: it lapses there when the hold does, and is not captured by us."""
        return Done()

    async def refund(self, movement: Movement) -> Done | Refused:
        """Refund a part or all."""
        return await self._move("refund_captured_payment", movement)

    async def close(self) -> None:
        """Every call has a connection of its own."""

    async def _move(self, call: str, movement: Movement) -> Done | Refused:
        request = self._about(movement.key, movement.amount)
        try:
            answer = await self._modify(call, request, movement.reference, movement.key)
        except _RefusedError as refused:
            return Refused(str(refused))
        return Done(str(answer["pspReference"]))

    async def _modify(self, call: str, request: Answer, reference: str, key: str) -> Answer:
        method = getattr(self._modifications, call)
        return await self._ask(lambda: method(request, reference, idempotency_key=key))

    def _about(self, key: str, amount: Money) -> Answer:
        return {
            "merchantAccount": self._merchant,
            "reference": key,
            "amount": {"value": amount.minor_units, "currency": amount.currency_code},
        }

    async def _ask(self, call: Callable[[], Any]) -> Answer:
        """Tell apart what is surely not done, what is unknown, and what Adyen refuses."""
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except AdyenError as fault:
            raise _fault(fault) from fault
        except URLError as fault:
            never_left = isinstance(fault.reason, ConnectionRefusedError | OSError) and not isinstance(
                fault.reason, TimeoutError | ConnectionResetError | BrokenPipeError
            )
            raise (GatewayDownError if never_left else GatewayUnreachableError)(str(fault.reason)) from fault
        except (OSError, HTTPException) as fault:
            raise GatewayUnreachableError(f"the reply was lost: {fault!r}") from fault
        answer: Answer = result.message
        return answer


class AdyenNotifications:
    """Adyen's standard webhook: each item is signed in itself (HMAC-SHA256), by the key of the Customer Area."""

    def __init__(self, hmac_key: str) -> None:
        """`hmac_key`: hexadecimal."""
        self._key = hmac_key

    def verified(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[Delivery]:  # noqa: ARG002
        """Check every item's signature, and that it isn't an old one sent again."""
        items = _items(body)
        for item in items:
            self._check(item, now)
        return [
            Delivery(
                f"{item['eventCode']}:{item['pspReference']}:{item['success']}",
                str(item["eventCode"]),
                json.dumps(item).encode(),
            )
            for item in items
        ]

    def fact(self, content: bytes) -> Fact | None:
        """Read what it tells."""
        try:
            return fact_of(json.loads(content))
        except (KeyError, TypeError, ValueError) as fault:
            raise MalformedError(repr(fault)) from fault

    def _check(self, item: Answer, now: datetime) -> None:
        try:
            valid = is_valid_hmac_notification(item, self._key)
        except (ValueError, KeyError, TypeError) as fault:
            raise SignatureInvalidError("the signature is missing") from fault
        if not valid:
            raise SignatureInvalidError("the signature is wrong")
        try:
            happened = datetime.fromisoformat(str(item["eventDate"]))
        except (KeyError, ValueError) as fault:
            raise MalformedError("eventDate is none") from fault
        if now - happened > NEWEST_AGE:
            raise SignatureInvalidError("the notification is too old")


class _RefusedError(Exception):
    """Adyen won't, and says why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def _fault(fault: AdyenError) -> Exception:
    status = int(fault.status_code or 0)
    if status in _TURNED_AWAY:
        return GatewayDownError(f"Adyen turns us away: {status}")
    if status in _REFUSALS:
        return _RefusedError(status, str(fault.error_code or status))
    return GatewayUnreachableError(f"Adyen failed: {status or type(fault).__name__}")


def _decision(answer: Answer) -> Approved | Declined:
    result = str(answer.get("resultCode", ""))
    if result == "Authorised":
        return Approved(str(answer["pspReference"]), datetime.now(UTC) + HOLDS)
    if result in _UNDECIDED:
        raise GatewayUnreachableError(f"Adyen has not decided yet: {result}")
    reason = str(answer.get("refusalReason") or result).upper().replace(" ", "_").replace("-", "_")
    return Declined(_REASONS.get(reason, reason))


def _items(body: bytes) -> list[Answer]:
    try:
        found = [each["NotificationRequestItem"] for each in json.loads(body)["notificationItems"]]
    except (ValueError, KeyError, TypeError) as fault:
        raise MalformedError(repr(fault)) from fault
    if not found or not all(
        isinstance(each, dict) and {"eventCode", "pspReference", "success"} <= each.keys() for each in found
    ):
        raise MalformedError("there is no item, or one without eventCode, pspReference and success")
    return found
