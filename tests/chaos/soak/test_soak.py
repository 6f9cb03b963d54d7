"""The soak: for minutes, orders and all that becomes of them while programs are killed at random; then the books agree.

Run it by `make soak`. Its dice are seeded; the seed is in the figures.
"""

import asyncio
import json
import os
import random
import uuid
from functools import partial

import httpx
import pytest

from deploy.native import secrets
from deploy.native.runtime import Runtime
from deploy.native.supervisor import Supervisor
from tests.chaos.soak import conclusion
from tests.chaos.soak.accidents import Accidents, Probe
from tests.chaos.soak.caller import Caller
from tests.chaos.soak.disputes import Gateway
from tests.chaos.soak.news import heard
from tests.chaos.soak.stories import Market, Story
from tests.chaos.soak.tally import Tally
from tests.e2e.shop import PASSWORD, Shop
from tests.stack import CHECKOUT

MINUTES = float(os.environ.get("ORDERMESH_SOAK_MINUTES") or 10)
SEED = int(os.environ.get("ORDERMESH_SOAK_SEED") or random.SystemRandom().randrange(2**32))
FILE = CHECKOUT / "build" / "soak.json"

CUSTOMERS = 8
DISPUTED = 0.25
"""How many of the orders that were paid are disputed."""

SETTLING_S = 300.0


@pytest.mark.timeout(MINUTES * 60 + 1200)
def test_whatever_is_killed_the_books_agree_in_the_end(stack: Runtime, shop: Shop, pytestconfig: pytest.Config) -> None:
    """Nobody was told what is not so, every order is settled, every customer is written to once, the audit is clean."""
    tally = Tally()
    figures: dict[str, object] = {"seed": SEED, "minutes": MINUTES, "processors": os.cpu_count()}
    disputed = asyncio.run(soak(stack, shop, tally, figures))
    took, left = conclusion.quiet(stack, SETTLING_S)
    states = conclusion.outcomes(stack, tally)
    audited = conclusion.audit()
    faults = [*conclusion.broken(stack, tally), *conclusion.unwon(stack, disputed)]
    figures |= {
        "orders": {"placed": states.total(), "a_second": round(states.total() / MINUTES / 60, 2), **states},
        "disputes": len(disputed),
        **tally.figures(),
        "quiet_after_s": took,
        "e-mails": conclusion.letters(stack),
        "audit": {"clean": audited.returncode == 0, "said": audited.stdout.splitlines()},
        "faults": [*tally.surprises, *faults],
    }
    report(figures, pytestconfig)
    assert tally.surprises == []
    assert left == {}
    assert faults == []
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert states.total() > 0


async def soak(stack: Runtime, shop: Shop, tally: Tally, figures: dict[str, object]) -> dict[str, str]:
    """Have all actors act for the set time, then finish what they began; gives the disputes by payment."""
    dice, stopped = random.Random(SEED), asyncio.Event()  # noqa: S311 - dice
    market = Market([shop.stock(1_000_000) for _ in range(5)], [shop.stock(30)])
    kept = secrets.ensure(stack.root, stack.topology.services)
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=shop.admin.http.base_url, timeout=30, limits=limits) as http:
        customers = [await registered(http, tally) for _ in range(CUSTOMERS)]
        gateway = Gateway(http, kept.sandbox_webhook_secret, tally, _seeded(dice))
        staff = Caller(http, _token(shop.admin.http), tally)
        probes = probes_of(http, _token(shop.admin.http), market.plenty[0])
        with heard(stack) as news:
            accidents = Accidents(Supervisor(stack, kept), probes, news, tally, _seeded(dice))
            async with asyncio.TaskGroup() as actors:
                for customer in customers:
                    tell = partial(Story, customer, staff, market, tally)
                    actors.create_task(keep_buying(tell, gateway, _seeded(dice), stopped))
                actors.create_task(accidents.run(stopped))
                await asyncio.sleep(MINUTES * 60)
                stopped.set()
            figures["events"] = news.figures()
        figures["killed"] = accidents.figures()
    return gateway.disputed


async def registered(http: httpx.AsyncClient, tally: Tally) -> Caller:
    """Register somebody and log them in, however long a busy machine takes for that."""
    nobody, address = Caller(http, "", tally), f"soaked-{uuid.uuid4()}@example.com"
    account = {"email": address, "password": PASSWORD, "displayName": "Ann Example"}
    await nobody.ask("Register", "POST", "/api/v1/auth/register", account)
    login = await nobody.ask("Login", "POST", "/api/v1/auth/login", {"email": address, "password": PASSWORD})
    return Caller(http, login.body["accessToken"], tally)


async def keep_buying(tell: "partial[Story]", gateway: Gateway, dice: random.Random, stopped: asyncio.Event) -> None:
    """Go from order to order; some are disputed afterwards."""
    while not stopped.is_set():
        paid = await tell(dice).tell()
        if paid and dice.random() < DISPUTED:
            await gateway.dispute(paid)


def probes_of(http: httpx.AsyncClient, token: str, sku: str) -> dict[str, Probe]:
    """Say for each service by which call its users see that it works; for PostgreSQL, by one that needs it."""
    paths = {
        "auth": "/api/v1/auth/me",
        "product": "/api/v1/products?pageSize=1",
        "inventory": f"/api/v1/inventory/{sku}",
        "payment": "/api/v1/payments?pageSize=1",
        "order": "/api/v1/orders?pageSize=1",
        "notification": "/api/v1/notifications?pageSize=1",
        "postgres": "/api/v1/orders?pageSize=1",
    }

    def probe(path: str) -> Probe:
        async def works() -> bool:
            headers = {"Authorization": f"Bearer {token}", "Cache-Control": "no-cache"}
            try:
                return (await http.get(path, headers=headers)).is_success
            except httpx.TransportError:
                return False

        return works

    return {program: probe(path) for program, path in paths.items()}


def report(figures: dict[str, object], config: pytest.Config) -> None:
    """Leave the figures in build/soak.json, and show them."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(figures, indent=1) + "\n")
    if terminal := config.pluginmanager.get_plugin("terminalreporter"):
        terminal.write_sep("-", f"figures, also in {FILE.relative_to(CHECKOUT)}")
        for name, figure in figures.items():
            terminal.write_line(f"{name}: {json.dumps(figure)}")


def _token(client: httpx.Client) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


def _seeded(dice: random.Random) -> random.Random:
    """Give an actor dice of their own: what one of them rolls does not depend on how quick the others are."""
    return random.Random(dice.random())  # noqa: S311 - dice
