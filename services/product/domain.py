"""Products, their variants and prices, and what can be wrong with a request about them. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mesh import errors
from services.common.money import Money

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Variant:
    """One orderable form of a product; each currency has one price."""

    sku: str
    name: str
    attributes: Mapping[str, str]
    prices: tuple[Money, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """Something that can be bought. `version` counts its events."""

    id: str
    name: str
    description: str
    category: str
    variants: tuple[Variant, ...]
    version: int
    create_time: datetime
    update_time: datetime

    @property
    def etag(self) -> str:
        """Changes with every change."""
        return str(self.version)


@dataclass(frozen=True, slots=True)
class PricedVariant:
    """What an order line needs to know of a variant."""

    sku: str
    product_id: str
    name: str
    price: Money


def words(text: str) -> list[str]:
    """Split text into the words it is found by: case and punctuation don't count, so `TEE-01` is `tee` and `01`."""
    return _WORD.findall(text.casefold())


def shown_name(product_name: str, variant_name: str) -> str:
    """Name a variant for a customer: the product's name, with the variant's own where it has one."""
    return f"{product_name}, {variant_name}" if variant_name else product_name


class ProductNotFound(errors.NotFound):
    """There are no such products."""

    def __init__(self, missing: Sequence[tuple[str, str]]) -> None:
        """`missing`: field of the request and id, of each."""
        ids = ", ".join(product_id for _, product_id in missing)
        super().__init__(
            f"there is no product {ids}",
            reason="PRODUCT_NOT_FOUND",
            metadata={"product_ids": ids},
            violations=[errors.FieldViolation(field, f"no product {id_}") for field, id_ in missing],
        )


class UnknownSku(errors.NotFound):
    """Some SKUs don't exist, or have no price in the currency asked for."""

    def __init__(self, missing: Sequence[tuple[int, str]], currency_code: str) -> None:
        """`missing`: position in the request and SKU, of each."""
        super().__init__(
            f"not sold in {currency_code}: {', '.join(sku for _, sku in missing)}",
            reason="UNKNOWN_SKU",
            metadata={"skus": ",".join(sku for _, sku in missing), "currency_code": currency_code},
            violations=[
                errors.FieldViolation(f"skus[{position}]", f"{sku} has no price in {currency_code}", "UNKNOWN_SKU")
                for position, sku in missing
            ],
        )


class SkuTaken(errors.AlreadyExists):
    """A SKU belongs to another product already."""

    def __init__(self, taken: Sequence[tuple[int, str]]) -> None:
        """`taken`: position among the variants and SKU, of each."""
        super().__init__(
            f"already taken: {', '.join(sku for _, sku in taken)}",
            reason="SKU_TAKEN",
            metadata={"skus": ",".join(sku for _, sku in taken)},
            violations=[
                errors.FieldViolation(f"variants[{position}].sku", f"{sku} belongs to another product", "SKU_TAKEN")
                for position, sku in taken
            ],
        )


@dataclass(frozen=True, slots=True)
class Stock:
    """What can be ordered of a SKU: units `available` now, and units `backorderable` that are still to arrive."""

    available: int
    backorderable: int

    @property
    def availability(self) -> str:
        """Say it in one word, one of the contract's."""
        if self.available > 0:
            return "IN_STOCK"
        return "BACKORDER" if self.backorderable > 0 else "OUT_OF_STOCK"
