"""What the control plane tells Prometheus about itself."""

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from mesh.control_plane.policy import Policies
from mesh.control_plane.world import Health, World

PREFIX = "ordermesh_control_plane"


class Metrics:
    """The control plane's own figures, in the registry that it is given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register every metric; a registry holds one set of them."""
        self._consul_up = Gauge(f"{PREFIX}_consul_up", "1 while Consul answers every query.", registry=registry)
        self._consul_lost = Counter(
            f"{PREFIX}_consul_lost_total",
            "Sessions with Consul that a failed query ended.",
            registry=registry,
        )
        self._published = Counter(
            f"{PREFIX}_snapshots_total", "Snapshots published since the start.", registry=registry
        )
        self._endpoints = Gauge(f"{PREFIX}_endpoints", "Published endpoints.", ["service", "health"], registry=registry)
        self._held = Gauge(
            f"{PREFIX}_held",
            "1 while endpoints are kept that Consul lists no more.",
            ["service"],
            registry=registry,
        )
        self._rejected = Gauge(
            f"{PREFIX}_policy_rejected",
            "1 for a document of traffic policy in Consul that is not in force, because it breaks a rule.",
            ["document"],
            registry=registry,
        )
        self.streams = Gauge(f"{PREFIX}_streams", "Open ADS streams.", registry=registry)
        self._responses = Counter(f"{PREFIX}_responses_total", "Discovery responses sent.", ["type"], registry=registry)
        self._requests = Counter(
            f"{PREFIX}_requests_total",
            "Discovery requests by what they meant: subscribed, accepted, refused (a NACK) or stale.",
            ["type", "meaning"],
            registry=registry,
        )

        self._refusing = Gauge(
            f"{PREFIX}_refusing",
            "Connected clients that refuse what they were told last, by the type of it.",
            ["type"],
            registry=registry,
        )

    def refuse(self, types: Iterable[str]) -> None:
        """Note what is refused at present; a type comes once for each client."""
        self._refusing.clear()
        for kind, count in Tally(types).items():
            self._refusing.labels(kind).set(count)

    def consul_heard(self) -> None:
        """Note a complete observation."""
        self._consul_up.set(1)

    def consul_lost(self) -> None:
        """Note the end of a session with Consul."""
        self._consul_up.set(0)
        self._consul_lost.inc()

    def published(self) -> None:
        """Note a new snapshot."""
        self._published.inc()

    def knows(self, world: World) -> None:
        """Note the instances of a world."""
        for service, instances in world.services.items():
            count = Tally(each.health for each in instances)
            for health in (Health.HEALTHY, Health.UNHEALTHY, Health.DRAINING):
                self._endpoints.labels(service, health.value).set(count[health])
            self._held.labels(service).set(service in world.held)

    def judges(self, policies: Policies) -> None:
        """Note which documents are rejected."""
        self._rejected.clear()
        for document in policies.rejected:
            self._rejected.labels(document).set(1)

    def responded(self, resource_type: str) -> None:
        """Note a response sent."""
        self._responses.labels(resource_type).inc()

    def requested(self, resource_type: str, meaning: str) -> None:
        """Note a request received."""
        self._requests.labels(resource_type, meaning).inc()
