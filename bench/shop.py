"""The edge as buyers have it: registering, and placing orders over kept HTTP/1.1 connections."""

import asyncio
import contextlib
import itertools
import json
import math
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bench.errors import BenchError
from bench.load import OK
from bench.stack import Stack

Json = dict[str, Any]

# What one user may ask in a minute (gateway/edge.toml).
ORDERS_PER_MINUTE = 1000
# More orders in a second than we expect, so that no customer comes near the limit.
HIGHEST_RATE = 500
# Argon2 is meant to be slow; more at once would only wait.
REGISTERING_AT_ONCE = 2
SKUS = 64
UNITS = 1_000_000
TIMEOUT = aiohttp.ClientTimeout(total=30)
CONFIRMED = "CONFIRMED"
PRICE: Json = {"currencyCode": "EUR", "units": "19", "nanos": 990_000_000}
ADDRESS: Json = {
    "regionCode": "DE",
    "postalCode": "10115",
    "locality": "Berlin",
    "addressLines": ["Invalidenstr. 1"],
    "recipients": ["Ann Example"],
}


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody who is logged in."""

    token: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What every request of theirs carries."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True, slots=True)
class Placed:
    """An order that was confirmed, and whose it is."""

    order_id: str
    customer: Customer


class Shop:
    """Customers, and shelves full enough for all of them."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        """`http` knows the edge's address; see `opened`."""
        self._http = http
        self._customers: list[Customer] = []
        self._turns = itertools.count()
        self.skus: list[str] = []
        self.product_id = ""
        self.last: Placed | None = None

    async def fill(self, admin: Customer) -> None:
        """Offer products, and receive more of each than will be sold."""
        run = uuid.uuid4().hex[:8].upper()
        self.skus = [f"BENCH-{run}-{number}" for number in range(SKUS)]
        for sku in self.skus:
            variant = {"sku": sku, "name": sku, "prices": [PRICE]}
            product = await self._do("products", {"name": f"Bench {sku}", "variants": [variant]}, admin.headers)
            await self._do(f"inventory/{sku}:receive", {"quantity": UNITS}, admin.headers)
            self.product_id = product["id"]

    async def invite(self, count: int) -> None:
        """Register so many customers and log them in."""
        gate = asyncio.Semaphore(REGISTERING_AT_ONCE)

        async def come() -> Customer:
            async with gate:
                return await self._register()

        self._customers = list(await asyncio.gather(*(come() for _ in range(count))))

    async def log_in(self, email: str, password: str) -> Customer:
        """Exchange email and password for a token."""
        login = await self._do("auth/login", {"email": email, "password": password})
        return Customer(login["accessToken"])

    async def place(self, _: int = 0) -> str:
        """Have the next customer order the next SKU; answers OK, or what came instead of a confirmed order."""
        turn = next(self._turns)
        return await self._order(turn, self.skus[turn % len(self.skus)])

    async def place_hot(self, _: int = 0) -> str:
        """Have the next customer order the one SKU that everybody wants."""
        return await self._order(next(self._turns), self.skus[0])

    async def _order(self, turn: int, sku: str) -> str:
        customer = self._customers[turn % len(self._customers)]
        headers = customer.headers | {"Idempotency-Key": str(uuid.uuid4())}
        try:
            async with self._http.post("orders", json=_order(sku), headers=headers) as reply:
                body = await reply.json(content_type=None)
                answer = outcome(reply.status, body)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return type(error).__name__
        if answer == OK:
            self.last = Placed(body["id"], customer)
        return answer

    async def _register(self) -> Customer:
        email, password = f"bench-{uuid.uuid4()}@example.com", str(uuid.uuid4())
        await self._do("auth/register", {"email": email, "password": password, "displayName": "Bench"})
        return await self.log_in(email, password)

    async def _do(self, path: str, body: Json, headers: Mapping[str, str] | None = None) -> Json:
        """Do what must work before anything can be measured. Raises BenchError."""
        try:
            async with self._http.post(path, json=body, headers=headers) as reply:
                text, good = await reply.text(), reply.ok
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BenchError(f"POST {path}: {str(error) or type(error).__name__}; see make status") from error
        if not good:
            raise BenchError(f"POST {path} answers {reply.status} {text[:300]}; see make status")
        answer: Json = json.loads(text)
        return answer


@contextlib.asynccontextmanager
async def opened(stack: Stack, customers: int) -> AsyncIterator[Shop]:
    """Open a shop at the edge that so many customers can buy in. Raises BenchError when that cannot be had."""
    connections = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    async with aiohttp.ClientSession(f"{stack.edge}/api/v1/", connector=connections, timeout=TIMEOUT) as http:
        shop = Shop(http)
        await shop.fill(await shop.log_in(stack.admin_email, stack.admin_password))
        await shop.invite(customers)
        yield shop


def _order(sku: str) -> Json:
    return {"lines": [{"sku": sku, "quantity": 1}], "shippingAddress": ADDRESS, "paymentToken": "tok_visa"}


def customers_for(rate: float) -> int:
    """Tell how many customers it takes to place so many orders in a second, with each at half of the limit."""
    return max(1, math.ceil(rate * 60 / ORDERS_PER_MINUTE * 2))


def outcome(status: int, body: Json) -> str:
    """Name what came: OK for a confirmed order, else its state, or the HTTP status with the error's reason."""
    if status == 200:  # noqa: PLR2004 - HTTP's OK
        state = body.get("state", "without a state")
        return OK if state == CONFIRMED else f"{status} {state}"
    reasons = [detail["reason"] for detail in body.get("details", ()) if "reason" in detail]
    return " ".join([str(status), *reasons[:1]])
