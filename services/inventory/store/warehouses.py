"""Warehouses."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict, Unpack

from services.common import paging
from services.common.database import Connection, Database, Row, Values
from services.common.ids import new_id
from services.inventory.domain.errors import WarehouseCodeTaken, WarehouseNotFound
from services.inventory.domain.stock import Location, Warehouse

_COLUMNS = "id::text, code, display_name, priority, zone, region_codes, latitude, longitude"
_ADD = """
INSERT INTO warehouses (id, code, display_name, priority, zone, region_codes, latitude, longitude)
VALUES (CAST(%(id)s AS uuid), %(code)s, %(display_name)s, %(priority)s, %(zone)s, %(region_codes)s,
        %(latitude)s, %(longitude)s)
ON CONFLICT (code) DO NOTHING
"""
_CHANGE = """
UPDATE warehouses SET display_name = %(display_name)s, priority = %(priority)s, zone = %(zone)s,
    region_codes = %(region_codes)s, latitude = %(latitude)s, longitude = %(longitude)s
WHERE id = CAST(%(id)s AS uuid)
"""
_BY_CODE = f"""
SELECT {_COLUMNS} FROM warehouses
WHERE %(code)s = '' OR code = %(code)s ORDER BY priority, code LIMIT 1
"""  # noqa: S608 - constants only
_BY_CODES = f"SELECT {_COLUMNS} FROM warehouses WHERE code = ANY(%(codes)s)"  # noqa: S608 - constants only
_PAGE = f"""
SELECT {_COLUMNS} FROM warehouses
WHERE (priority, code) > (%(priority)s, %(code)s) ORDER BY priority, code LIMIT %(limit)s
"""  # noqa: S608 - constants only


class Place(TypedDict, total=False):
    """Where a warehouse is, as far as anybody said."""

    zone: str
    region_codes: tuple[str, ...]
    location: Location | None


class Details(Place, total=False):
    """What may be changed of a warehouse: all but its code."""

    display_name: str
    priority: int


class WarehouseStore:
    """The places that hold stock."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_warehouse(self, code: str, display_name: str, priority: int, **place: Unpack[Place]) -> Warehouse:
        """Add a warehouse. Raises WarehouseCodeTaken."""
        warehouse = Warehouse(new_id(), code, display_name, priority, **place)
        if not await self._database.run(_ADD, _values(warehouse)):
            raise WarehouseCodeTaken(code)
        return warehouse

    async def change_warehouse(self, code: str, **changes: Unpack[Details]) -> Warehouse:
        """Change fields of a warehouse, by their names. Raises WarehouseNotFound."""
        async with self._database.transaction() as connection:
            row = await connection.row(_BY_CODE + "FOR UPDATE", {"code": code})
            if row is None:
                raise WarehouseNotFound(code)
            warehouse = replace(_warehouse(row), **changes)
            await connection.run(_CHANGE, _values(warehouse))
        return warehouse

    async def warehouses(self, after: str | None, limit: int) -> list[Warehouse]:
        """Read warehouses by priority and code, after the cursor `<priority>/<code>`."""
        priority, _, code = (after or "-1/").partition("/")
        values = {"priority": paging.number(priority), "code": code, "limit": limit}
        return [_warehouse(row) for row in await self._database.rows(_PAGE, values)]


async def by_code(connection: Connection, code: str) -> Warehouse:
    """Find a warehouse; without a code the one of lowest priority number. Raises WarehouseNotFound."""
    row = await connection.row(_BY_CODE, {"code": code})
    if row is None:
        raise WarehouseNotFound(code)
    return _warehouse(row)


async def ids_by_code(connection: Connection, codes: Sequence[str]) -> dict[str, str]:
    """Find the ids of warehouses. Raises WarehouseNotFound."""
    found = {row.code: row.id for row in await connection.rows(_BY_CODES, {"codes": list(codes)})} if codes else {}
    for code in codes:
        if code not in found:
            raise WarehouseNotFound(code)
    return found


def _warehouse(row: Row) -> Warehouse:
    location = None if row.latitude is None else Location(row.latitude, row.longitude)
    return Warehouse(row.id, row.code, row.display_name, row.priority, row.zone, tuple(row.region_codes), location)


def _values(warehouse: Warehouse) -> Values:
    return {
        "id": warehouse.id,
        "code": warehouse.code,
        "display_name": warehouse.display_name,
        "priority": warehouse.priority,
        "zone": warehouse.zone,
        "region_codes": list(warehouse.region_codes),
        "latitude": warehouse.location and warehouse.location.latitude,
        "longitude": warehouse.location and warehouse.location.longitude,
    }
