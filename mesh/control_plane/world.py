"""The instances of each service, and which of Consul's answers about them are believed.

Consul may answer truthfully and still mislead: after a restart it has forgotten the results of its checks,
and without its data it has forgotten the instances too. Traffic that runs must not stop for that, so an
answer becomes the world only through `believe`, which is pure: it needs no clock and no Consul.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mesh.control_plane.policy import Documents


class Health(enum.Enum):
    """What the checks of an instance say about it."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    DRAINING = "draining"
    UNCHECKED = "unchecked"  # No check has run yet, which Consul calls critical.


@dataclass(frozen=True, slots=True)
class Instance:
    """One process of a service: an IP address and port that speak its gRPC contract."""

    id: str
    host: str
    port: int
    region: str
    zone: str
    health: Health
    version: str = ""
    methods: tuple[tuple[str, bool], ...] = ()
    """What it says of its own contract, where the control plane has none: paths, and whether they may be repeated."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What Consul answered within one uninterrupted session: every watched service has its entry."""

    session: int
    services: Mapping[str, tuple[Instance, ...]]
    policies: Documents = field(default_factory=Documents)


@dataclass(frozen=True, slots=True)
class World:
    """The instances published, and the services whose instances are kept though Consul lists none."""

    session: int
    services: Mapping[str, tuple[Instance, ...]]
    held: frozenset[str] = frozenset()


def believe(before: World | None, seen: Observation) -> World:
    """Return the world after an observation.

    - An instance whose checks have not run yet keeps the verdict it had; a new one gets no traffic until they
      pass.
    - A service whose last instances vanished while nobody watched keeps them until Consul lists one of it
      again. If they are really gone, their addresses refuse connections, which fails a call as quickly as an
      empty list does.
    - The last instances of the last service are never taken away: an empty mesh is an accident, not news.
    """
    if before is None:
        return World(seen.session, {name: _judged((), found) for name, found in seen.services.items()})
    doubtful = before.held if seen.session == before.session else before.services.keys()
    if not any(seen.services.values()):
        doubtful = before.services.keys()
    held = frozenset(name for name in doubtful if before.services.get(name) and not seen.services.get(name))
    services = {
        name: before.services[name] if name in held else _judged(before.services.get(name, ()), found)
        for name, found in seen.services.items()
    }
    return World(seen.session, services, held)


def _judged(before: tuple[Instance, ...], found: tuple[Instance, ...]) -> tuple[Instance, ...]:
    """Give instances that no check has judged yet their earlier verdict, or none that brings them traffic."""
    verdicts = {(each.id, each.host, each.port): each.health for each in before}
    return tuple(
        replace(each, health=verdicts.get((each.id, each.host, each.port), Health.UNHEALTHY))
        if each.health is Health.UNCHECKED
        else each
        for each in found
    )
