"""How calls spread over zones and versions, and who steps in when those that should answer can't: pure.

A locality is the instances of one version in one zone. Those that get calls have priority 0 and share them by weight;
the others stand behind them, and a client turns to the next priority only when nobody before it can be reached.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mesh.control_plane.world import Health, Instance
from ordermesh.mesh.v1.traffic_policy_pb2 import ZoneRouting

OTHERS = ""
"""Stands for every version without a share of its own."""

SCALE = 10_000
"""The sum of the weights of all that get calls, about; xDS weighs in whole numbers."""

Shares = Mapping[str, int]
"""What each version should get, in percent."""


@dataclass(frozen=True, slots=True)
class Locality:
    """Some instances that are treated alike."""

    region: str
    zone: str
    version: str
    instances: tuple[Instance, ...]

    @property
    def healthy(self) -> int:
        """How many of them pass their checks."""
        return sum(each.health is Health.HEALTHY for each in self.instances)


@dataclass(frozen=True, slots=True)
class Placed:
    """A locality with its place among the others."""

    locality: Locality
    priority: int
    weight: int


def spread(instances: Iterable[Instance], shares: Shares, caller_zone: str, routing: ZoneRouting) -> list[Placed]:
    """Place every locality, for callers of one zone."""
    active: list[tuple[Locality, int]] = []
    waiting: list[tuple[tuple[bool, int], Locality]] = []
    for version, localities in _by_version(instances, shares).items():
        percent = shares.get(version, 0)
        for tier, (locality, part) in _parts(localities, caller_zone, routing):
            if weight := round(SCALE * part * percent / 100):
                active.append((locality, weight))
            else:
                waiting.append(((percent == 0, tier), locality))
    ranks = sorted({rank for rank, _ in waiting})
    first = 1 if active else 0  # A list of priorities has no gaps.
    return [
        *(Placed(locality, 0, weight) for locality, weight in active),
        *(Placed(each, first + ranks.index(rank), max(1, each.healthy)) for rank, each in waiting),
    ]


def _by_version(instances: Iterable[Instance], shares: Shares) -> dict[str, list[Locality]]:
    groups: dict[tuple[str, str, str], list[Instance]] = {}
    for each in instances:
        version = each.version if each.version in shares else OTHERS
        groups.setdefault((version, each.region, each.zone), []).append(each)
    found: dict[str, list[Locality]] = {}
    for (version, region, zone), members in sorted(groups.items()):
        found.setdefault(version, []).append(Locality(region, zone, version, tuple(members)))
    return found


def _parts(
    localities: Sequence[Locality], caller_zone: str, routing: ZoneRouting
) -> Iterable[tuple[int, tuple[Locality, float]]]:
    """Give each locality of one version its part of that version's calls, tier by tier, 0 where it gets none."""
    left = 1.0
    for tier, members in enumerate(_tiers(localities, caller_zone, routing)):
        healthy = sum(each.healthy for each in members)
        taken = min(left, _capacity(members, healthy, routing)) if routing.prefer_own else left
        left -= taken
        for each in members:
            yield tier, (each, taken * each.healthy / healthy if healthy else 0.0)


def _tiers(localities: Sequence[Locality], caller_zone: str, routing: ZoneRouting) -> list[Sequence[Locality]]:
    """Line the zones up: the caller's own, those named, and then all others together."""
    if not routing.prefer_own:
        return [localities]
    line = [caller_zone, *(zone for zone in routing.order if zone != caller_zone)]
    named = [[each for each in localities if each.zone == zone] for zone in line]
    return [*named, [each for each in localities if each.zone not in line]]


def _capacity(members: Sequence[Locality], healthy: int, routing: ZoneRouting) -> float:
    """Say which part of the calls a tier can take: all of them until too few of its instances are healthy."""
    known = sum(len(each.instances) for each in members)
    return healthy / known * 100 / routing.full_load_percent if known else 0.0
