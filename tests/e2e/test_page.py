"""The API page in a real browser: somebody logs in there, places an order, and sees it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e import browser
from tests.e2e.shop import PASSWORD, Client, Shop, order_of

FORM = """
const article = await until(() => document.getElementById({operation}));
const form = article.querySelector("form");
const answer = form.querySelector("pre");
"""


@pytest_asyncio.fixture
async def page(shop: Shop, tmp_path: Path) -> AsyncIterator[browser.Tab]:
    """The page, opened."""
    program = browser.find()
    if program is None:
        pytest.skip("there is no Chromium; on Debian `apt-get install chromium` brings it")
    async with browser.tab(program, tmp_path / "chromium") as tab:
        await tab.open(f"{shop.stranger.http.base_url}/docs")
        yield tab


async def test_somebody_logs_in_places_an_order_and_sees_it(shop: Shop, customer: Client, page: browser.Tab) -> None:
    """With the forms as they are, under the page's own content security policy."""
    sku = shop.stock(units=1)
    assert "customer" in await log_in(page, customer)

    placed = await send(page, "OrderService_CreateOrder", json.dumps(order_of(sku)))
    assert placed.startswith("200"), placed
    assert '"state": "CONFIRMED"' in placed
    listed = await send(page, "OrderService_ListOrders")
    assert sku in listed


async def test_an_error_is_shown_and_its_type_leads_to_its_reason(customer: Client, page: browser.Tab) -> None:
    """The list of reasons is part of the page."""
    await log_in(page, customer)
    refused = await send(page, "OrderService_CreateOrder", '{"lines": []}')

    assert refused.startswith("400")
    kind = str(json.loads(refused.partition("\n\n")[2])["type"])
    row = f"document.getElementById({json.dumps(kind.partition('#')[2])})"
    assert "INVALID_REQUEST" in await page.run(f"return (await until(() => {row})).textContent")


async def log_in(page: browser.Tab, customer: Client) -> str:
    """Fill in the form at the top; give what the page says of who is logged in."""
    given = {"email": customer.user["email"], "password": PASSWORD}
    return str(
        await page.run(f"""
            const form = await until(() => document.getElementById("login"));
            await until(() => document.querySelector("main article"));
            for (const [name, value] of Object.entries({json.dumps(given)})) form.elements[name].value = value;
            form.requestSubmit();
            return until(() => document.querySelector("#session output").textContent);
        """)
    )


async def send(page: browser.Tab, operation: str, body: str | None = None) -> str:
    """Fill in the body, press the button, and read the answer."""
    fill = "" if body is None else f'form.querySelector("textarea").value = {json.dumps(body)};'
    return str(
        await page.run(f"""
            {FORM.format(operation=json.dumps(operation))}
            {fill}
            form.requestSubmit();
            return until(() => /^\\d/.test(answer.textContent) && answer.textContent);
        """)
    )
