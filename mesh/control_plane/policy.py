"""The traffic policy of each service: the defaults, what Consul's KV changes of them, and which of that is rejected.

All of it is pure. A document that breaks a rule is rejected as a whole, and its last good version stays in force.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from mesh import documents, errors
from mesh.errors import FieldViolation
from ordermesh.mesh.v1.traffic_policy_pb2 import Canary, OutlierDetection, Retry, TrafficPolicy, ZoneRouting

DEFAULT = "default"
"""Where a value comes from that no document sets."""

EVERY_SERVICE = "_default"
"""The name of the document about calls to every service."""

WHOLE = (Duration, Canary)
"""Messages that a layer replaces rather than adds to."""

Methods = Mapping[str, Mapping[str, bool]]
"""The known services, each with its methods by path (`/package.Service/Method`) and whether they may be repeated."""


def _milliseconds(amount: int) -> Duration:
    duration = Duration()
    duration.FromMilliseconds(amount)
    return duration


DEFAULTS = TrafficPolicy(
    outlier_detection=OutlierDetection(
        failure_percentage=50,
        request_volume=10,
        interval=_milliseconds(1000),
        base_ejection_time=_milliseconds(3000),
        max_ejection_percent=50,
    ),
    max_concurrent_requests=1024,
    retry=Retry(max_retries=3, base_backoff=_milliseconds(10), max_backoff=_milliseconds(100)),
    zones=ZoneRouting(prefer_own=False, full_load_percent=70),
)
"""What holds where nothing else is said: no canary, no faults, all zones alike."""


@dataclass(frozen=True, slots=True)
class Documents:
    """What Consul's KV holds, by name; `index` is that of Consul's answer."""

    index: int = 0
    by_name: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policies:
    """The documents in force by name, and for each rejected one why; `index` is that of the answer they are from."""

    index: int = 0
    accepted: Mapping[str, TrafficPolicy] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)

    def of(self, service: str) -> TrafficPolicy:
        """Give the effective policy of calls to a service."""
        effective = TrafficPolicy()
        for _, layer in self.layers(service):
            _overlay(effective, layer)
        return effective

    def layers(self, service: str) -> list[tuple[str, TrafficPolicy]]:
        """List what the policy is made of, with where each layer comes from; later ones win."""
        names = [name for name in (EVERY_SERVICE, service) if name in self.accepted]
        return [(DEFAULT, DEFAULTS), *((name, self.accepted[name]) for name in names)]


def judge(before: Policies, found: Documents, methods: Methods) -> Policies:
    """Read all documents. Of a rejected one the version accepted before, if there is one, goes on.

    Only a Consul that lost its data goes back in its index. What it has forgotten is not taken for a wish.
    """
    if not found.by_name and found.index < before.index:
        return before
    accepted: dict[str, TrafficPolicy] = {}
    rejected: dict[str, str] = {}
    for name, document in sorted(found.by_name.items()):
        try:
            accepted[name] = accept(name, document, methods)
        except errors.InvalidArgument as refusal:
            rejected[name] = documents.complaint(refusal)
            if name in before.accepted:
                accepted[name] = before.accepted[name]
    return Policies(found.index, accepted, rejected)


def accept(name: str, document: bytes, methods: Methods) -> TrafficPolicy:
    """Read one document. Raises InvalidArgument that names the field and the reason."""
    concerned = methods.values() if name == EVERY_SERVICE else [methods[name]] if name in methods else []
    if not concerned:
        known = ", ".join(sorted(methods))
        raise errors.InvalidArgument(f"no contract knows a service {name}; there are {known}", reason="UNKNOWN_SERVICE")
    policy = documents.read(TrafficPolicy, document)
    violations = list(_unknown_methods(policy, {method_name(path) for each in concerned for path in each}))
    if violations:
        raise errors.InvalidArgument("a fault names unknown methods", reason="UNKNOWN_METHOD", violations=violations)
    return policy


def method_name(path: str) -> str:
    """Give the name of a method, `GetOrder`, by its path."""
    return path.rpartition("/")[2]


def _unknown_methods(policy: TrafficPolicy, known: Iterable[str]) -> Iterable[FieldViolation]:
    for number, fault in enumerate(policy.faults):
        for position, method in enumerate(fault.methods):
            if method not in known:
                yield FieldViolation(f"faults[{number}].methods[{position}]", f"no contract has a method {method}")


def _overlay(base: Message, layer: Message) -> None:
    """Put what a layer sets over a base."""
    for descriptor, value in layer.ListFields():
        if isinstance(value, Message) and not isinstance(value, WHOLE):
            _overlay(getattr(base, descriptor.name), value)
        else:
            base.ClearField(descriptor.name)
            base.MergeFrom(type(layer)(**{descriptor.name: value}))
