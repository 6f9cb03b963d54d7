"""What the contracts say about each method, read from the built descriptors: the source of every rule about calls."""

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto

from ordermesh.options.v1 import options_pb2

DESCRIPTORS = Path(__file__).resolve().parents[1] / "build" / "descriptors.binpb"
OUR_PACKAGES = "ordermesh."
MESH_PACKAGE = "ordermesh.mesh.v1"
"""What every process serves about itself: no name in the mesh leads to it, so it is not among the services."""

_VERSION = re.compile(r"v[0-9]+((alpha|beta)[0-9]*)?")


class ContractError(Exception):
    """A contract leaves out what it must say; the message names the method."""


class AccessKind(enum.Enum):
    """The ways in which a method says who may call it."""

    PUBLIC = "public"
    PERMISSION = "permission"
    INTERNAL = "internal"
    EDGE = "edge"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call a method; `permission` only where that is the kind."""

    kind: AccessKind
    permission: str = ""

    @property
    def is_routed(self) -> bool:
        """Whether the edge has a way to the method for those outside."""
        return self.kind in {AccessKind.PUBLIC, AccessKind.PERMISSION}


class Idempotency(enum.Enum):
    """What may be done with a call whose outcome is unknown; see ordermesh.options.v1.Idempotency."""

    SAFE = options_pb2.SAFE
    IDEMPOTENT = options_pb2.IDEMPOTENT
    ONCE = options_pb2.ONCE


class RateClass(enum.Enum):
    """Which limit at the edge a method counts against; see ordermesh.options.v1.RateClass."""

    DEFAULT = options_pb2.DEFAULT
    STRICT = options_pb2.STRICT


@dataclass(frozen=True, slots=True)
class HttpBinding:
    """One way to reach a method over REST: verb in upper case, path template, and which field is the body."""

    verb: str
    path: str
    body: str


@dataclass(frozen=True, slots=True)
class MethodPolicy:
    """All that is said about one method. `full_name` is its gRPC path, `service` the full name of its service."""

    full_name: str
    service: str
    method: str
    access: Access
    deadline: timedelta
    idempotency: Idempotency
    rate: RateClass
    cache_ttl: timedelta | None
    unrestricted_permission: str
    bindings: tuple[HttpBinding, ...]
    hedge_delay: timedelta | None = None
    client_streaming: bool = False
    server_streaming: bool = False
    oauth_endpoint: bool = False

    @property
    def domain(self) -> str:
        """The name by which the mesh knows the service: `order` for ordermesh.order.v1.OrderService."""
        return domain_of(self.service)


_NONE: Mapping[str, MethodPolicy] = MappingProxyType({})


class Contract:
    """The policies of all methods of some services: of all of ours, or of those that a process has to do with."""

    def __init__(self, methods: Mapping[str, MethodPolicy] = _NONE) -> None:
        """Take the policies by gRPC path."""
        self._methods = dict(methods)

    @classmethod
    def load(cls, descriptors: Path = DESCRIPTORS) -> "Contract":
        """Read a FileDescriptorSet. Raises ContractError; FileNotFoundError before `make proto` has run."""
        files = FileDescriptorSet.FromString(descriptors.read_bytes())
        return cls({policy.full_name: policy for policy in _policies(files)})

    def learn(self, service: str) -> None:
        """Read a service from its generated module, whoever wrote it. Raises ContractError.

        Raises LookupError for a service whose module has not been imported.
        """
        try:
            descriptor = descriptor_pool.Default().FindServiceByName(service)
        except KeyError as unknown:
            message = f"no contract has a service {service}: is its generated module imported?"
            raise LookupError(message) from unknown
        described = ServiceDescriptorProto()
        descriptor.CopyToProto(described)
        policies = (_policy(service, method) for method in described.method)
        self._methods |= {policy.full_name: policy for policy in policies}

    @property
    def methods(self) -> tuple[MethodPolicy, ...]:
        """Every method, in the order of the contracts."""
        return tuple(self._methods.values())

    @property
    def services(self) -> tuple[str, ...]:
        """Full names of the services."""
        return tuple(dict.fromkeys(policy.service for policy in self.methods))

    @property
    def permissions(self) -> frozenset[str]:
        """Every permission that a method asks for, or that widens what its caller sees."""
        named = {name for each in self.methods for name in (each.access.permission, each.unrestricted_permission)}
        return frozenset(named - {""})

    def method(self, full_name: str) -> MethodPolicy | None:
        """Find a method by its gRPC path; None for one that isn't ours, such as a health check."""
        return self._methods.get(full_name)


def domain_of(service: str) -> str:
    """Give the name by which the mesh knows a service: the last part of its package that is no version.

    It is `order` for ordermesh.order.v1.OrderService, and `loyalty` for loyalty.LoyaltyService.
    """
    package = service.split(".")[:-1]
    return next(part for part in reversed(package) if not _VERSION.fullmatch(part))


def _policies(files: FileDescriptorSet) -> Iterator[MethodPolicy]:
    for file in files.file:
        if not file.package.startswith(OUR_PACKAGES) or file.package == MESH_PACKAGE:
            continue
        for service in file.service:
            for method in service.method:
                yield _policy(f"{file.package}.{service.name}", method)


def _policy(service: str, method: MethodDescriptorProto) -> MethodPolicy:
    full_name = f"/{service}/{method.name}"
    if not method.options.HasExtension(options_pb2.policy):
        raise ContractError(f"{full_name} has no option (ordermesh.options.v1.policy)")
    policy = method.options.Extensions[options_pb2.policy]
    if not (policy.idempotency and policy.rate and policy.HasField("deadline")):
        raise ContractError(f"{full_name} must state deadline, idempotency and rate")
    return MethodPolicy(
        full_name=full_name,
        service=service,
        method=method.name,
        access=_access(full_name, policy),
        deadline=policy.deadline.ToTimedelta(),
        idempotency=Idempotency(policy.idempotency),
        rate=RateClass(policy.rate),
        cache_ttl=policy.cache_ttl.ToTimedelta() if policy.HasField("cache_ttl") else None,
        unrestricted_permission=policy.unrestricted_permission,
        bindings=tuple(_bindings(method)),
        hedge_delay=policy.hedge_delay.ToTimedelta() if policy.HasField("hedge_delay") else None,
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
        oauth_endpoint=policy.oauth_endpoint,
    )


def _access(full_name: str, policy: options_pb2.MethodPolicy) -> Access:
    kind = policy.WhichOneof("access")
    if kind is None or not getattr(policy, kind):
        raise ContractError(f"{full_name} must state who may call it: public, permission, internal or edge")
    return Access(AccessKind(kind), policy.permission)


def _bindings(method: MethodDescriptorProto) -> Iterator[HttpBinding]:
    if not method.options.HasExtension(annotations_pb2.http):  # type: ignore[arg-type]
        return
    rule: http_pb2.HttpRule = method.options.Extensions[annotations_pb2.http]  # type: ignore[index]
    for binding in (rule, *rule.additional_bindings):
        verb = binding.WhichOneof("pattern") or ""
        yield HttpBinding(verb.upper(), str(getattr(binding, verb)), binding.body)
