"""The sample catalogue, and bringing it in through an edge that only remembers."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import protovalidate
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message

from deploy.native.provision.api import Api, ApiError
from deploy.native.provision.catalogue import Catalogue, money, seed
from deploy.native.runtime import Runtime
from ordermesh.inventory.v1 import inventory_service_pb2
from ordermesh.product.v1 import product_service_pb2
from tests.unit.deploy.provision_examples import runtime_in, secrets_of

UNAUTHENTICATED, ALREADY_EXISTS = 16, 6


class Shop:
    """Answers as the edge does, for the few routes that are needed."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.taken: set[str] = set()
        self.received: dict[str, tuple[str, int]] = {}
        self.requests: Counter[str] = Counter()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Route by path."""
        path = request.url.path
        self.requests[path.rsplit(":", 1)[-1]] += 1
        if path.endswith(":batchGet"):
            return httpx.Response(200, json={"stocks": [self._stock(s) for s in request.url.params.get_list("skus")]})
        body = json.loads(request.content)
        if path.endswith("/login"):
            return self._login(body)
        if request.headers.get("Authorization") != "Bearer token":
            return httpx.Response(401, json={"code": UNAUTHENTICATED, "message": "no token"})
        if path.endswith(":receive"):
            sku = path.removesuffix(":receive").rsplit("/", 1)[-1]
            self.received[request.headers["Idempotency-Key"]] = (sku, body["quantity"])
            return httpx.Response(200, json=self._stock(sku))
        return self._create(body)

    def on_hand(self, sku: str) -> int:
        """Sum up what was received."""
        return sum(quantity for name, quantity in self.received.values() if name == sku)

    def _login(self, body: dict[str, Any]) -> httpx.Response:
        good = body["password"] == self.password
        return httpx.Response(200, json={"accessToken": "token"}) if good else httpx.Response(401, json={"code": 16})

    def _create(self, body: dict[str, Any]) -> httpx.Response:
        keys = {variant["sku"] for variant in body.get("variants", [])} or {body["code"]}
        if keys & self.taken:
            return httpx.Response(409, json={"code": ALREADY_EXISTS, "message": "taken"})
        self.taken |= keys
        return httpx.Response(200, json=body)

    def _stock(self, sku: str) -> dict[str, Any]:
        quantity = self.on_hand(sku)
        return {"sku": sku, "available": str(quantity), "levels": [{"onHand": str(quantity)}] if quantity else []}


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    """A stack that does not run."""
    return runtime_in(tmp_path)


@pytest.fixture
def shop(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """An edge with nothing behind it."""
    shop = Shop(secrets_of(runtime).admin_password)
    monkeypatch.setattr(Api, "of", lambda _: Api("http://edge", transport=httpx.MockTransport(shop)))
    return shop


def requests_of(sample: Catalogue) -> list[tuple[Message, dict[str, Any]]]:
    """Pair every body with the message it must be."""
    products = [(product_service_pb2.CreateProductRequest(), product) for product in sample.products]
    return [(inventory_service_pb2.CreateWarehouseRequest(), sample.warehouse), *products]


def test_every_request_is_one_that_the_contract_accepts() -> None:
    """Names of fields, and all rules of validation."""
    for message, body in requests_of(Catalogue.read()):
        protovalidate.validate(json_format.ParseDict(body, message))


def test_there_are_a_dozen_products_in_euro_and_dollar_and_no_sku_twice() -> None:
    """What a fresh install promises."""
    sample = Catalogue.read()
    variants = [variant for product in sample.products for variant in product["variants"]]
    assert len(sample.products) == 12
    assert len({variant["sku"] for variant in variants}) == len(variants) == len(sample.stock)
    assert all({price["currencyCode"] for price in variant["prices"]} == {"EUR", "USD"} for variant in variants)


@pytest.mark.parametrize(
    ("amount", "units", "nanos"), [("129", "129", 0), ("17.95", "17", 950_000_000), ("0.01", "0", 10_000_000)]
)
def test_amounts_are_exact(amount: str, units: str, nanos: int) -> None:
    """Money never goes through a binary fraction."""
    assert money("EUR", amount) == {"currencyCode": "EUR", "units": units, "nanos": nanos}


def test_a_fresh_install_gets_everything(runtime: Runtime, shop: Shop) -> None:
    """Warehouse, products and the stock of every variant."""
    sample = Catalogue.read()
    said = seed(runtime)
    assert "12 products created" in said
    assert {sku: shop.on_hand(sku) for sku in sample.stock} == sample.stock


def test_a_second_run_asks_one_question_and_changes_nothing(runtime: Runtime, shop: Shop) -> None:
    """It does not even log in."""
    seed(runtime)
    shop.requests.clear()
    assert seed(runtime) == "seed: unchanged"
    assert shop.requests == {"batchGet": 1}


def test_a_run_that_was_cut_short_is_completed(runtime: Runtime, shop: Shop) -> None:
    """Products that exist are left as they are; only the missing delivery is booked."""
    sample = Catalogue.read()
    seed(runtime)
    lost = min(sample.stock)
    del shop.received[f"catalogue-{lost}"]
    assert seed(runtime) == "seed: stock of 1 variants received"
    assert shop.on_hand(lost) == sample.stock[lost]


def test_a_wrong_password_is_told_and_not_waited_for(runtime: Runtime, shop: Shop) -> None:
    """The message names the request and the code."""
    shop.password = "changed"
    with pytest.raises(ApiError, match=r"POST /api/v1/auth/login: 401 UNAUTHENTICATED"):
        seed(runtime)


def test_without_products_nothing_is_asked(
    runtime: Runtime, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sells goods of their own takes the sample out of the file."""
    file = tmp_path / "catalogue.toml"
    file.write_text('[warehouse]\ncode = "main"\ndisplay_name = "Main warehouse"\npriority = 1\n')
    empty = Catalogue.read(file)
    monkeypatch.setattr(Catalogue, "read", lambda: empty)
    assert (seed(runtime), shop.requests.total()) == ("seed: unchanged", 0)
