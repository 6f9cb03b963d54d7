"""Stripe by its official library: PaymentIntents that are captured by hand.

Idempotency keys are ours: the payment's id for an authorization, the operation's for a movement. Stripe keeps them for
a day at least; what is asked again after that is looked up first.
"""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx
import stripe

from services.common.money import Money
from services.payment.adapters.books import StripeBooks
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
    Settled,
    SignatureInvalidError,
)
from services.payment.adapters.stripe_events import fact_of
from services.payment.domain.facts import Fact

NAME = "stripe"
KEYS_KEPT = timedelta(hours=20)
"""Less than the day for which Stripe keeps idempotency keys."""

HOLDS = timedelta(days=7)
"""How long a card's hold lasts unless the charge says otherwise."""

TOLERANCE_SECONDS = 300
NOT_YET_VISIBLE = "the request arrived, and can't be found yet"

T = TypeVar("T")


class Stripe:
    """Stripe as a Gateway, and as whom to ask for what it settled."""

    name = NAME

    def __init__(self, api_key: str, *, multicapture: bool, address: str | None, timeout: timedelta) -> None:
        """`multicapture`: whether the account may capture several times. `address`: of the API; None is real."""
        self.captures_once = not multicapture
        self._http = stripe.HTTPXClient(timeout=timeout.total_seconds())
        self._client = stripe.StripeClient(
            api_key,
            http_client=self._http,
            max_network_retries=0,
            base_addresses={"api": address} if address else {},
        )

    async def authorize(self, key: str, amount: Money, token: str) -> Approved | Declined:
        """Create and confirm a PaymentIntent. A payer who would have to act (3-D Secure) is declined: none is here."""
        card = {} if self.captures_once else {"card": {"request_multicapture": "if_available"}}
        params: dict[str, Any] = {
            **_about(key, amount),
            "confirm": True,
            "payment_method": token,
            "payment_method_options": card,
            "error_on_requires_action": True,
            "expand": ["latest_charge"],
        }
        try:
            intent = await self._create(params, key)
        except stripe.IdempotencyError as used:
            raise GatewayUnreachableError("the same request is under way, or was blocked") from used
        except stripe.CardError as declined:
            return Declined((declined.code or "card_declined").upper())
        except stripe.InvalidRequestError as refused:
            return Declined("INVALID_PAYMENT_TOKEN" if refused.param == "payment_method" else "REFUSED_BY_GATEWAY")
        return decision(intent)

    async def find(self, key: str, amount: Money, token: str | None) -> Approved | Declined | None:
        """Repeat the call with its key; without its token, search.

        The search lags behind, so that what it doesn't find is asked for once more by a harmless request with the same
        key: Stripe refuses it when the key was used, and otherwise can't be reached by the first request any more.
        """
        if token is not None:
            return await self.authorize(key, amount, token)
        query = f"metadata['payment_id']:'{key}'"
        params: Any = {"query": query, "limit": 1, "expand": ["data.latest_charge"]}
        found = await _answer(lambda: self._client.v1.payment_intents.search_async(params))
        if found.data:
            return decision(found.data[0])
        try:
            await self._create(_about(key, amount), key)
        except stripe.IdempotencyError as used:
            raise GatewayUnreachableError(NOT_YET_VISIBLE) from used
        except stripe.InvalidRequestError:
            return None
        return None

    async def cancel(self, key: str, reference: str) -> None:
        """Cancel the PaymentIntent, found by its key where we have no reference of it."""
        found = reference or await self._reference(key)
        if not found:
            return
        try:
            await _answer(
                lambda: self._client.v1.payment_intents.cancel_async(
                    found, options={"idempotency_key": f"{key}-cancel"}
                )
            )
        except stripe.InvalidRequestError as refused:
            intent = await _answer(lambda: self._client.v1.payment_intents.retrieve_async(found))
            if intent.status != "canceled":
                raise GatewayUnreachableError(f"the payment can't be cancelled: {refused.code}") from refused

    async def capture(self, movement: Movement) -> Done | Refused:
        """Capture a part or all; unless more captures are to follow, Stripe gives up the rest."""
        params: dict[str, Any] = {"amount_to_capture": movement.amount.minor_units, **_metadata(movement)}
        if not self.captures_once:
            params["final_capture"] = movement.final
        try:
            return await self._capture(movement, params)
        except stripe.InvalidRequestError as refused:
            return await self._captured_before(movement) or Refused(refused.code or "invalid_request")

    async def release(self, movement: Movement) -> Done | Refused:
        """Give up what captures left: a final capture of nothing."""
        params = {"amount_to_capture": 0, "final_capture": True}
        try:
            return await self._capture(movement, params)
        except stripe.InvalidRequestError as refused:
            intent = await _answer(lambda: self._client.v1.payment_intents.retrieve_async(movement.reference))
            gone = intent.status != "requires_capture" and not intent.amount_capturable
            return Done() if gone else Refused(refused.code or "invalid_request")

    async def refund(self, movement: Movement) -> Done | Refused:
        """Refund a part or all."""
        if datetime.now(UTC) - movement.begun > KEYS_KEPT and (known := await self._refunded(movement)):
            return known
        params: Any = {
            "payment_intent": movement.reference,
            "amount": movement.amount.minor_units,
            **_metadata(movement),
        }
        options: Any = {"idempotency_key": movement.key}
        try:
            made = await _answer(lambda: self._client.v1.refunds.create_async(params, options))
        except stripe.InvalidRequestError as refused:
            return Refused(refused.code or "invalid_request")
        failed = made.status in {"failed", "canceled"}
        return Refused(made.failure_reason or "failed") if failed else Done(made.id)

    async def movements(self, start: datetime, end: datetime) -> AsyncIterator[Settled]:
        """Give the balance transactions of a period."""
        created = {"gte": int(start.timestamp()), "lt": int(end.timestamp())}
        params: dict[str, Any] = {"created": created, "limit": 100, "expand": ["data.source"]}
        while True:
            page = await _answer(lambda: self._client.v1.balance_transactions.list_async(dict(params)))  # type: ignore[arg-type]
            for transaction in page.data:
                if settled := _settled(transaction):
                    yield settled
            if not page.has_more or not page.data:
                return
            params["starting_after"] = page.data[-1].id

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def _create(self, params: dict[str, Any], key: str) -> Any:  # noqa: ANN401 - Stripe's own
        options: Any = {"idempotency_key": key}
        return await _answer(lambda: self._client.v1.payment_intents.create_async(params, options))  # type: ignore[arg-type]

    async def _reference(self, key: str) -> str:
        params: Any = {"query": f"metadata['payment_id']:'{key}'", "limit": 1}
        found = await _answer(lambda: self._client.v1.payment_intents.search_async(params))
        return found.data[0].id if found.data else ""

    async def _capture(self, movement: Movement, params: dict[str, Any]) -> Done:
        options: Any = {"idempotency_key": movement.key}
        intent = await _answer(
            lambda: self._client.v1.payment_intents.capture_async(movement.reference, params, options)  # type: ignore[arg-type]
        )
        return Done(_charge_id(intent))

    async def _captured_before(self, movement: Movement) -> Done | None:
        """A capture whose key Stripe forgot: what the PaymentIntent noted last tells whether it was this one."""
        intent = await _answer(lambda: self._client.v1.payment_intents.retrieve_async(movement.reference))
        ours = _operation_of(intent) == movement.key
        return Done(_charge_id(intent)) if ours and intent.amount_received else None

    async def _refunded(self, movement: Movement) -> Done | None:
        params: Any = {"payment_intent": movement.reference, "limit": 100}
        made = await _answer(lambda: self._client.v1.refunds.list_async(params))
        return next((Done(each.id) for each in made.data if _operation_of(each) == movement.key), None)


class StripeNotifications:
    """Stripe's webhooks: header `Stripe-Signature`, by the endpoint's secret."""

    def __init__(self, secret: str) -> None:
        """`secret`: whsec_…, of the endpoint."""
        self._secret = secret

    def verified(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[Delivery]:  # noqa: ARG002
        """Check signature and age by Stripe's library, which goes by this machine's clock."""
        try:
            text = body.decode()
            header = headers.get("stripe-signature", "")
            stripe.WebhookSignature.verify_header(text, header, self._secret, TOLERANCE_SECONDS)
        except (stripe.SignatureVerificationError, UnicodeDecodeError) as fault:
            raise SignatureInvalidError(str(fault).partition("\n")[0]) from fault
        event = _event(body)
        return [Delivery(event["id"], event["type"], body)]

    def fact(self, content: bytes) -> Fact | None:
        """Read what it tells."""
        event = _event(content)
        try:
            return fact_of(event["type"], event["data"]["object"])
        except (KeyError, TypeError, ValueError) as fault:
            raise MalformedError(f"{event['type']}: {fault!r}") from fault


def decision(intent: Any) -> Approved | Declined:  # noqa: ANN401 - Stripe's own
    """Say what a PaymentIntent's state means to us."""
    if intent.status in {"requires_capture", "succeeded"}:
        return Approved(intent.id, _expiry(intent))
    if intent.status == "processing":
        raise GatewayUnreachableError("Stripe has not decided yet")
    failure = getattr(intent.last_payment_error, "code", "") if intent.last_payment_error else ""
    return Declined((failure or f"payment_{intent.status}").upper())


def _about(key: str, amount: Money) -> dict[str, Any]:
    return {
        "amount": amount.minor_units,
        "currency": amount.currency_code.lower(),
        "capture_method": "manual",
        "payment_method_types": ["card"],
        "metadata": {"payment_id": key},
    }


def _metadata(movement: Movement) -> dict[str, Any]:
    return {"metadata": {"payment_id": movement.payment_id, "operation_id": movement.key}}


def _expiry(intent: Any) -> datetime:  # noqa: ANN401 - Stripe's own
    charge = intent.latest_charge
    details = getattr(charge, "payment_method_details", None)
    card = getattr(details, "card", None)
    before = getattr(card, "capture_before", None)
    created = datetime.fromtimestamp(intent.created or time.time(), UTC)
    return datetime.fromtimestamp(before, UTC) if before else created + HOLDS


def _charge_id(intent: Any) -> str:  # noqa: ANN401 - Stripe's own
    charge = intent.latest_charge
    return str(charge if isinstance(charge, str) else getattr(charge, "id", "") or "")


def _operation_of(noted: Any) -> str | None:  # noqa: ANN401 - Stripe's own
    operation_id: str | None = getattr(noted.metadata, "operation_id", None)
    return operation_id


def _settled(transaction: Any) -> Settled | None:  # noqa: ANN401 - Stripe's own
    kind = StripeBooks.kinds.get(transaction.reporting_category)
    if kind is None:
        return None
    source = transaction.source
    amount = Money(transaction.currency.upper(), abs(transaction.amount))
    reference = source if isinstance(source, str) else source.id
    intent = "" if isinstance(source, str) else getattr(source, "payment_intent", "") or ""
    return Settled(transaction.id, kind, reference, str(intent), amount)


def _event(body: bytes) -> dict[str, Any]:
    try:
        event = json.loads(body)
        return {"id": str(event["id"]), "type": str(event["type"]), "data": event["data"]}
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise MalformedError(repr(fault)) from fault


async def _answer(ask: Callable[[], Awaitable[T]]) -> T:
    """Tell apart what is surely not done, what is unknown, and what Stripe refuses (which is raised as it is)."""
    try:
        return await ask()
    except (stripe.CardError, stripe.InvalidRequestError, stripe.IdempotencyError):
        raise
    except stripe.APIConnectionError as fault:
        lost = isinstance(fault.__cause__, httpx.ConnectError | httpx.ConnectTimeout)
        raise (GatewayDownError if lost else GatewayUnreachableError)("no connection to Stripe") from fault
    except (stripe.RateLimitError, stripe.AuthenticationError, stripe.PermissionError) as fault:
        raise GatewayDownError(f"Stripe turns us away: {type(fault).__name__}") from fault
    except stripe.StripeError as fault:
        raise GatewayUnreachableError(f"Stripe failed: {type(fault).__name__}") from fault
