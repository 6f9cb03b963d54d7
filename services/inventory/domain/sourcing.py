"""Where the units of an order come from: warehouses in the order of a strategy, and as few parcels as it cares for.

Every strategy lets one warehouse serve the whole order if any can. When none can:

- `PRIORITY` takes each SKU from the warehouses by their priority;
- `NEAREST` does the same by how near they are to where the order goes;
- `FEWEST_SPLITS` finds the fewest warehouses that have everything together, among equals those of lowest priority.

What no warehouse has may be promised, where the policy of a level allows it, after all that is there was taken.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.inventory.domain.errors import OutOfStock
from services.inventory.domain.reservation import Allocation
from services.inventory.domain.stock import Level, Location

MOST_TRIED = 12
"""Of more warehouses not every combination is tried; the one that has most is taken until nothing is missing."""

_EARTH_RADIUS_KM = 6371.0


class Strategy(StrEnum):
    """How warehouses are chosen."""

    PRIORITY = "priority"
    NEAREST = "nearest"
    FEWEST_SPLITS = "fewest_splits"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an order goes, as far as it is known."""

    region_code: str = ""
    location: Location | None = None


Wanted = Mapping[str, int]
"""Units by SKU."""


def allocate(
    wanted: Wanted,
    levels: Sequence[Level],
    strategy: Strategy = Strategy.PRIORITY,
    destination: Destination | None = None,
) -> tuple[Allocation, ...]:
    """Choose where the wanted units come from. Raises OutOfStock when any SKU is short in sum, promises included."""
    ranked = _ranked(levels, destination if strategy is Strategy.NEAREST else None)
    missing = {sku: lacking for sku, units in wanted.items() if (lacking := units - _available(sku, ranked)) > 0}
    if missing:
        return _with_promises(wanted, missing, ranked)
    warehouses = list(dict.fromkeys(level.warehouse_id for level in ranked))
    for warehouse_id in warehouses:
        if _suffices(wanted, ranked, {warehouse_id}):
            return tuple(Allocation(sku, warehouse_id, units) for sku, units in sorted(wanted.items()))
    if strategy is Strategy.FEWEST_SPLITS:
        chosen = _fewest(wanted, ranked, warehouses)
        ranked = [level for level in ranked if level.warehouse_id in chosen]
    return tuple(part for sku, units in sorted(wanted.items()) for part in _split(sku, units, ranked))


def _ranked(levels: Sequence[Level], destination: Destination | None) -> list[Level]:
    if destination is None:
        return sorted(levels, key=lambda level: (level.priority, level.warehouse_id))
    return sorted(levels, key=lambda level: (*_nearness(level, destination), level.priority, level.warehouse_id))


def _nearness(level: Level, destination: Destination) -> tuple[bool, float]:
    """Compare by what the company says of its regions first, then by the way as the crow flies, if that is known."""
    if destination.location is None or level.latitude is None or level.longitude is None:
        distance = math.inf
    else:
        distance = _kilometres(Location(level.latitude, level.longitude), destination.location)
    return destination.region_code not in level.region_codes, distance


def _kilometres(one: Location, other: Location) -> float:
    """Measure the great circle between two points (haversine)."""
    north, other_north = math.radians(one.latitude), math.radians(other.latitude)
    east = math.radians(other.longitude - one.longitude)
    chord = math.sin((other_north - north) / 2) ** 2
    chord += math.cos(north) * math.cos(other_north) * math.sin(east / 2) ** 2
    return 2 * _EARTH_RADIUS_KM * math.asin(math.sqrt(min(chord, 1.0)))


def _available(sku: str, levels: Sequence[Level]) -> int:
    return sum(max(level.available, 0) for level in levels if level.sku == sku)


def _suffices(wanted: Wanted, levels: Sequence[Level], warehouses: frozenset[str] | set[str]) -> bool:
    here = [level for level in levels if level.warehouse_id in warehouses]
    return all(_available(sku, here) >= units for sku, units in wanted.items())


def _split(sku: str, units: int, ranked: Sequence[Level]) -> list[Allocation]:
    parts = []
    for level in ranked:
        if level.sku == sku and (taken := min(units, max(level.available, 0))):
            parts.append(Allocation(sku, level.warehouse_id, taken))
            units -= taken
    return parts


def _fewest(wanted: Wanted, levels: Sequence[Level], warehouses: Sequence[str]) -> frozenset[str]:
    if len(warehouses) > MOST_TRIED:
        return _few(wanted, levels, warehouses)
    sizes = range(2, len(warehouses) + 1)
    combinations = itertools.chain.from_iterable(itertools.combinations(warehouses, size) for size in sizes)
    return next(frozenset(tried) for tried in combinations if _suffices(wanted, levels, frozenset(tried)))


def _few(wanted: Wanted, levels: Sequence[Level], warehouses: Sequence[str]) -> frozenset[str]:
    missing, chosen = dict(wanted), list[str]()
    while any(missing.values()):
        best = max(warehouses, key=lambda each: _served(missing, levels, each))
        chosen.append(best)
        here = [level for level in levels if level.warehouse_id == best]
        missing = {sku: max(units - _available(sku, here), 0) for sku, units in missing.items()}
        warehouses = [each for each in warehouses if each != best]
    return frozenset(chosen)


def _served(missing: Wanted, levels: Sequence[Level], warehouse_id: str) -> int:
    here = [level for level in levels if level.warehouse_id == warehouse_id]
    return sum(min(units, _available(sku, here)) for sku, units in missing.items())


def _with_promises(wanted: Wanted, missing: Wanted, ranked: Sequence[Level]) -> tuple[Allocation, ...]:
    """Take all that is there of what is missing, and promise the rest."""
    room = {(level.sku, level.warehouse_id): level.backorderable for level in ranked}
    if short := [sku for sku, units in missing.items() if sum(v for k, v in room.items() if k[0] == sku) < units]:
        raise OutOfStock(sorted(short))
    parts = []
    for sku, units in sorted(wanted.items()):
        held = {part.warehouse_id: part.quantity for part in _split(sku, units, ranked)}
        promised, left = dict[str, int](), missing.get(sku, 0)
        for level in ranked:
            if level.sku == sku and (taken := min(left, level.backorderable)):
                promised[level.warehouse_id] = taken
                left -= taken
        parts += [
            Allocation(sku, place, held.get(place, 0) + promised.get(place, 0), backordered=promised.get(place, 0))
            for place in sorted(held.keys() | promised.keys())
        ]
    return tuple(parts)
