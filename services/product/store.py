"""All SQL of the product service."""

import json
from collections.abc import Sequence
from typing import Any

from services.common import events
from services.common.database import Connection, Database, Row
from services.common.money import Money
from services.product.domain import (
    PricedVariant,
    Product,
    ProductNotFound,
    SkuTaken,
    UnknownSku,
    Variant,
    shown_name,
    words,
)
from services.product.events import product_created
from services.product.search import Search

_ADD_PRODUCT = """
INSERT INTO products (id, name, description, category, search, version, create_time, update_time)
VALUES (CAST(%(id)s AS uuid), %(name)s, %(description)s, %(category)s,
        setweight(to_tsvector('simple', %(name_words)s), 'A') || setweight(to_tsvector('simple', %(sku_words)s), 'A')
            || setweight(to_tsvector('simple', %(category_words)s), 'B')
            || setweight(to_tsvector('simple', %(description_words)s), 'C'),
        %(version)s, %(create_time)s, %(update_time)s)
"""
_ADD_VARIANTS = """
INSERT INTO variants (sku, product_id, position, name, attributes)
SELECT sku, CAST(%(id)s AS uuid), position, name, CAST(attributes AS jsonb)
FROM unnest(CAST(%(skus)s AS text[]), CAST(%(names)s AS text[]), CAST(%(attributes)s AS text[]))
    WITH ORDINALITY AS variant (sku, name, attributes, position)
ORDER BY sku ON CONFLICT (sku) DO NOTHING RETURNING sku
"""
_ADD_PRICES = """
INSERT INTO prices (sku, currency_code, minor_units)
SELECT * FROM unnest(CAST(%(skus)s AS text[]), CAST(%(currency_codes)s AS text[]), CAST(%(minor_units)s AS bigint[]))
"""
# Of the products in `found`, which have a rank, everything that is shown; best first, then newest.
_SHOWN = """
SELECT p.id::text, p.name, p.description, p.category, p.version, p.create_time, p.update_time, p.rank, v.variants
FROM found p CROSS JOIN LATERAL (
    SELECT json_agg(json_build_array(v.sku, v.name, v.attributes, m.prices) ORDER BY v.position) AS variants
    FROM variants v CROSS JOIN LATERAL (
        SELECT json_agg(json_build_array(currency_code, minor_units) ORDER BY currency_code) AS prices
        FROM prices WHERE sku = v.sku
    ) m
    WHERE v.product_id = p.id
) v
ORDER BY p.rank DESC, p.id DESC
"""
_BY_ID = f"""
WITH found AS (SELECT *, 0 AS rank FROM products WHERE id = ANY(CAST(%(ids)s AS uuid[])))
{_SHOWN}"""  # noqa: S608 - constants only
_NEWEST = f"""
WITH found AS (
    SELECT *, 0 AS rank FROM products
    WHERE {{category}} AND (CAST(%(after)s AS uuid) IS NULL OR id < CAST(%(after)s AS uuid))
    ORDER BY id DESC LIMIT %(limit)s
)
{_SHOWN}"""  # noqa: S608 - constants only
# Two statements, so that PostgreSQL keeps a plan for each: the newest of a category come by their own index.
_NEWEST_OF_ALL = _NEWEST.format(category="true")
_NEWEST_OF_CATEGORY = _NEWEST.format(category="category = %(category)s")
# Materialized: a plan that is kept would read the words of the query anew for every product that it ranks.
_BEST = f"""
WITH asked AS MATERIALIZED (
    SELECT websearch_to_tsquery('simple', %(terms)s) && to_tsquery('simple', %(beginning)s) AS query
), matching AS (
    SELECT products.*, round(ts_rank(search, query)::numeric, 6) AS rank
    FROM products, asked
    WHERE search @@ query AND (CAST(%(category)s AS text) IS NULL OR category = %(category)s)
), found AS (
    SELECT * FROM matching
    WHERE CAST(%(after)s AS uuid) IS NULL OR (rank, id) < (CAST(%(after_rank)s AS numeric), CAST(%(after)s AS uuid))
    ORDER BY rank DESC, id DESC LIMIT %(limit)s
)
{_SHOWN}"""  # noqa: S608 - constants only
_PRICES = """
SELECT asked.sku, v.product_id::text, p.name, v.name AS variant_name, m.minor_units
FROM unnest((SELECT CAST(%(skus)s AS text[]))) WITH ORDINALITY AS asked (sku, position)
LEFT JOIN (variants v JOIN products p ON p.id = v.product_id) ON v.sku = asked.sku
LEFT JOIN prices m ON m.sku = asked.sku AND m.currency_code = %(currency_code)s
ORDER BY asked.position
"""


class ProductStore:
    """Products with their variants and prices."""

    def __init__(self, database: Database) -> None:
        """`database` is product's own."""
        self._database = database

    async def add(self, product: Product) -> None:
        """Commit a new product and its event. Raises SkuTaken."""
        async with self._database.transaction() as connection:
            await connection.run(_ADD_PRODUCT, _columns(product))
            await _add_variants(connection, product)
            await events.append(connection, product_created(product))

    async def get(self, ids: Sequence[str], field: str = "ids[{}]") -> list[Product]:
        """Read products, in the order asked. Raises ProductNotFound, naming `field` by position."""
        found = {row.id: _product(row) for row in await self._database.rows(_BY_ID, {"ids": list(ids)})}
        missing = [(field.format(position), id_) for position, id_ in enumerate(ids) if id_.lower() not in found]
        if missing:
            raise ProductNotFound(missing)
        return [found[id_.lower()] for id_ in ids]

    async def newest(self, category: str | None, after: str | None, limit: int) -> list[tuple[Product, str]]:
        """Read products, newest first, each with the cursor that continues after it."""
        statement = _NEWEST_OF_ALL if category is None else _NEWEST_OF_CATEGORY
        parameters = {"category": category, "after": after, "limit": limit}
        return [(_product(row), row.id) for row in await self._database.rows(statement, parameters)]

    async def best(
        self, search: Search, category: str | None, after: str | None, limit: int
    ) -> list[tuple[Product, str]]:
        """Read products that a search finds; best first, each with the cursor that continues after it."""
        if not search:
            return []
        rank, _, id_ = (after or "").partition("/")
        parameters = {
            "terms": search.terms,
            "beginning": search.beginning,
            "category": category,
            "after_rank": rank or None,
            "after": id_ or None,
            "limit": limit,
        }
        return [(_product(row), f"{row.rank}/{row.id}") for row in await self._database.rows(_BEST, parameters)]

    async def prices(self, skus: Sequence[str], currency_code: str) -> list[PricedVariant]:
        """Read the present prices, in the order asked. Raises UnknownSku."""
        rows = await self._database.rows(_PRICES, {"skus": list(skus), "currency_code": currency_code})
        missing = [(position, row.sku) for position, row in enumerate(rows) if row.minor_units is None]
        if missing:
            raise UnknownSku(missing, currency_code)
        return [
            PricedVariant(
                row.sku,
                row.product_id,
                shown_name(row.name, row.variant_name),
                Money(currency_code, row.minor_units),
            )
            for row in rows
        ]


async def _add_variants(connection: Connection, product: Product) -> None:
    skus = [variant.sku for variant in product.variants]
    rows = await connection.rows(
        _ADD_VARIANTS,
        {
            "id": product.id,
            "skus": skus,
            "names": [variant.name for variant in product.variants],
            "attributes": [json.dumps(dict(variant.attributes)) for variant in product.variants],
        },
    )
    added = {row.sku for row in rows}
    if len(added) < len(skus):
        raise SkuTaken([(position, sku) for position, sku in enumerate(skus) if sku not in added])
    prices = [(variant.sku, price) for variant in product.variants for price in variant.prices]
    await connection.run(
        _ADD_PRICES,
        {
            "skus": [sku for sku, _ in prices],
            "currency_codes": [price.currency_code for _, price in prices],
            "minor_units": [price.minor_units for _, price in prices],
        },
    )


def _columns(product: Product) -> dict[str, Any]:
    def searchable(text_: str) -> str:
        return " ".join(words(text_))

    return {
        "id": product.id,
        "name": product.name,
        "description": product.description,
        "category": product.category,
        "name_words": searchable(" ".join([product.name, *(variant.name for variant in product.variants)])),
        "sku_words": searchable(" ".join(variant.sku for variant in product.variants)),
        "category_words": searchable(product.category),
        "description_words": searchable(product.description),
        "version": product.version,
        "create_time": product.create_time,
        "update_time": product.update_time,
    }


def _product(row: Row) -> Product:
    return Product(
        id=row.id,
        name=row.name,
        description=row.description,
        category=row.category,
        variants=tuple(
            Variant(sku, name, attributes, tuple(Money(*price) for price in prices))
            for sku, name, attributes, prices in row.variants
        ),
        version=row.version,
        create_time=row.create_time,
        update_time=row.update_time,
    )
