"""From observations to the snapshot that every stream serves: the one place where what is known changes."""

import asyncio
import contextlib
from collections.abc import Iterator

import structlog

from mesh.control_plane.encryption import Identities
from mesh.control_plane.metrics import Metrics
from mesh.control_plane.policy import Documents, Methods, Policies, judge
from mesh.control_plane.resources import Resources
from mesh.control_plane.snapshot import Snapshot
from mesh.control_plane.world import Health, Observation, World, believe


class Publication:
    """The newest snapshot, and the streams to wake when it changes."""

    def __init__(self) -> None:
        """Begin without a snapshot."""
        self._current: Snapshot | None = None
        self._readers: set[asyncio.Event] = set()
        self.begun = asyncio.Event()
        self.ended = False

    @property
    def current(self) -> Snapshot | None:
        """The newest snapshot; None before the first."""
        return self._current

    def publish(self, fresh: Snapshot) -> None:
        """Make a snapshot the newest one."""
        self._current = fresh
        self.begun.set()
        self._wake()

    def end(self) -> None:
        """Let every stream end, so that clients turn to another replica."""
        self.ended = True
        self._wake()

    def _wake(self) -> None:
        for reader in self._readers:
            reader.set()

    @contextlib.contextmanager
    def reader(self) -> Iterator[asyncio.Event]:
        """Lend an event that is set by each publication."""
        woken = asyncio.Event()
        self._readers.add(woken)
        try:
            yield woken
        finally:
            self._readers.discard(woken)


class Publisher:
    """Turns each observation into the next world, and a world that differs into a publication."""

    def __init__(
        self,
        methods: Methods,
        publication: Publication,
        metrics: Metrics,
        log: structlog.typing.FilteringBoundLogger,
        *,
        identities: Identities | None,
    ) -> None:
        """Publish for the known services; see `Resources`."""
        self._methods = methods
        self._resources = Resources(methods, identities)
        self._publication = publication
        self._metrics = metrics
        self._log = log
        self._world: World | None = None
        self._documents: Documents | None = None
        self._policies = Policies()

    @property
    def held(self) -> list[str]:
        """The services whose last instances are kept though Consul lists none."""
        return sorted(self._world.held) if self._world else []

    def tell(self, seen: Observation) -> None:
        """Take an observation in."""
        self._world = world = believe(self._world, seen)
        self._metrics.knows(world)
        if seen.policies != self._documents:
            self._judge(seen.policies)
        fresh = self._resources.snapshot(world, self._policies)
        if fresh == self._publication.current:
            return
        self._publication.publish(fresh)
        self._metrics.published()
        self._log.info("snapshot_published", healthy=_healthy(world), held=sorted(world.held))

    def _judge(self, found: Documents) -> None:
        self._documents = found
        before, self._policies = self._policies, judge(self._policies, found, self._methods)
        self._metrics.judges(self._policies)
        for document, reason in self._policies.rejected.items():
            if before.rejected.get(document) != reason:
                kept = document in self._policies.accepted
                self._log.error("policy_rejected", document=document, reason=reason, last_good_kept=kept)
        if before.accepted != self._policies.accepted:
            self._log.info("policy_changed", documents=sorted(self._policies.accepted))


def _healthy(world: World) -> dict[str, str]:
    """Write for each service how many of its instances are healthy, as in 2/3."""
    return {
        name: f"{sum(each.health is Health.HEALTHY for each in found)}/{len(found)}"
        for name, found in sorted(world.services.items())
    }
