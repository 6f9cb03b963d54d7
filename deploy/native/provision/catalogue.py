"""The goods a fresh install sells, brought in through the edge by its admin: warehouse, products, stock.

A variant that stock was ever received for is done with, so that a repeated run asks one question and changes
nothing; each delivery has a request id made from its SKU, so that a run cut short adds nothing twice, either.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from deploy.native import secrets
from deploy.native.provision.api import Api, ApiError, Json, patiently
from deploy.native.provision.environment import ADMIN_EMAIL
from deploy.native.provision.summary import summary
from deploy.native.runtime import Runtime

FILE = Path(__file__).with_name("catalogue.toml")
NANOS = 1_000_000_000
TAKEN = "ALREADY_EXISTS"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The bodies of the requests that bring it in; `stock` is how many units of each SKU arrive."""

    warehouse: Json
    products: tuple[Json, ...]
    stock: Mapping[str, int]

    @classmethod
    def read(cls, file: Path = FILE) -> "Catalogue":
        """Read catalogue.toml. A key it lacks is a KeyError; without products nothing is brought in."""
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
        products = raw.get("products", [])
        warehouse = {**raw["warehouse"], "displayName": raw["warehouse"]["display_name"]}
        del warehouse["display_name"]
        return cls(
            warehouse=warehouse,
            products=tuple(map(_product, products)),
            stock={v["sku"]: v["stock"] for product in products for v in product["variants"]},
        )


def seed(runtime: Runtime) -> str:
    """Bring in what is missing of the sample catalogue; waits for the services behind the edge to come up."""
    catalogue = Catalogue.read()
    if not catalogue.products:
        return summary("seed", [])
    with Api.of(runtime) as api:
        missing = _never_received(api, catalogue.stock)
        if not missing:
            return summary("seed", [])
        kept = secrets.ensure(runtime.root, runtime.topology.services)
        patiently("auth", lambda: api.login(ADMIN_EMAIL, kept.admin_password))
        return summary("seed", _bring_in(api, catalogue, missing))


def skus_of(product: Json) -> set[str]:
    """Answer the SKUs of a product's variants."""
    return {variant["sku"] for variant in product["variants"]}


def money(currency_code: str, amount: str) -> Json:
    """Write an amount such as 129.50 as google.type.Money; its int64 is a string in JSON."""
    units, fraction = divmod(Decimal(amount), 1)
    return {"currencyCode": currency_code, "units": str(int(units)), "nanos": int(fraction * NANOS)}


def _bring_in(api: Api, catalogue: Catalogue, missing: Iterable[str]) -> list[str]:
    code, wanted = catalogue.warehouse["code"], set(missing)
    changes = [f"warehouse {code} created"] if _create(api, "/api/v1/warehouses", catalogue.warehouse) else []
    products = [product for product in catalogue.products if skus_of(product) & wanted]
    created = sum(_create(api, "/api/v1/products", product) for product in products)
    changes += [f"{created} products created"] if created else []
    for sku in sorted(wanted):
        _receive(api, sku, catalogue.stock[sku], code)
    return [*changes, f"stock of {len(wanted)} variants received"]


def _never_received(api: Api, skus: Iterable[str]) -> list[str]:
    """Ask for all stock at once: what was sold out has levels of zero, what never came has none."""
    answer = patiently("inventory", lambda: api.get("/api/v1/inventory:batchGet", skus=sorted(skus)))
    return [stock["sku"] for stock in answer.get("stocks", []) if not stock.get("levels")]


def _create(api: Api, path: str, body: Json) -> bool:
    """Tell whether it was new."""
    try:
        patiently(path, lambda: api.post(path, body))
    except ApiError as error:
        if error.code != TAKEN:
            raise
        return False
    return True


def _receive(api: Api, sku: str, quantity: int, warehouse: str) -> None:
    path, body = f"/api/v1/inventory/{sku}:receive", {"quantity": quantity, "warehouseCode": warehouse}
    patiently("inventory", lambda: api.post(path, body, key=f"catalogue-{sku}"))


def _product(raw: Mapping[str, Any]) -> Json:
    prices = [money(currency, amount) for currency, amount in raw["prices"].items()]
    variants = [
        {"sku": v["sku"], "name": v["name"], "attributes": v["attributes"], "prices": prices} for v in raw["variants"]
    ]
    return {key: raw[key] for key in ("name", "description", "category")} | {"variants": variants}
