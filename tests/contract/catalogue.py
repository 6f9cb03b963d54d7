"""All methods and messages of our contracts, from the built descriptors: a new one is checked at once."""

import dataclasses
import functools
import tomllib
from collections.abc import Iterator
from pathlib import Path

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

from buf.validate import validate_pb2
from ordermesh.options.v1 import options_pb2

CHECKOUT = Path(__file__).resolve().parents[2]
OUR_PACKAGES = "ordermesh."


@dataclasses.dataclass(frozen=True)
class Route:
    """One way to reach a method over REST."""

    verb: str
    path: str
    body: str


@dataclasses.dataclass(frozen=True)
class Method:
    """An RPC with what its contract says about it."""

    package: str
    service: str
    proto: MethodDescriptorProto

    def __str__(self) -> str:
        """Name the method as a test's id."""
        return f"{self.service}.{self.proto.name}"

    @property
    def policy(self) -> options_pb2.MethodPolicy | None:
        """Give the method's policy, or None when it states none."""
        options = self.proto.options
        return options.Extensions[options_pb2.policy] if options.HasExtension(options_pb2.policy) else None

    @property
    def routes(self) -> list[Route]:
        """Give its REST routes, the additional ones too."""
        extension = annotations_pb2.http
        if not self.proto.options.HasExtension(extension):  # type: ignore[arg-type]
            return []
        rule: http_pb2.HttpRule = self.proto.options.Extensions[extension]  # type: ignore[index]
        return [route_of(binding) for binding in (rule, *rule.additional_bindings)]


def route_of(rule: http_pb2.HttpRule) -> Route:
    """Read the verb and path of one binding."""
    verb = rule.WhichOneof("pattern") or ""
    return Route(verb.upper(), str(getattr(rule, verb)), rule.body)


@functools.cache
def files() -> list[FileDescriptorProto]:
    """Every file of the descriptor set."""
    content = (CHECKOUT / "build" / "descriptors.binpb").read_bytes()
    return list(FileDescriptorSet.FromString(content).file)


@functools.cache
def our_files() -> list[FileDescriptorProto]:
    """The files that we wrote."""
    return [file for file in files() if file.package.startswith(OUR_PACKAGES)]


@functools.cache
def methods() -> list[Method]:
    """Every RPC of ours."""
    return [
        Method(file.package, f"{file.package}.{service.name}", method)
        for file in our_files()
        for service in file.service
        for method in service.method
    ]


def _nested(prefix: str, message: DescriptorProto) -> Iterator[tuple[str, DescriptorProto]]:
    name = f"{prefix}.{message.name}"
    yield name, message
    for inner in message.nested_type:
        yield from _nested(name, inner)


@functools.cache
def messages() -> dict[str, DescriptorProto]:
    """Every message, ours and the vendored ones, by full name with a leading dot as in type references."""
    return dict(pair for file in files() for top in file.message_type for pair in _nested(f".{file.package}", top))


@functools.cache
def enums() -> dict[str, EnumDescriptorProto]:
    """Every enum of ours by full name."""
    ours = {name: m for name, m in messages().items() if name.startswith(f".{OUR_PACKAGES}")}
    nested = {f"{name}.{enum.name}": enum for name, message in ours.items() for enum in message.enum_type}
    return nested | {f".{file.package}.{enum.name}": enum for file in our_files() for enum in file.enum_type}


@functools.cache
def events() -> dict[str, str]:
    """Full names of the events, each with the package that publishes it."""
    return {
        f".{file.package}.{message.name}": file.package
        for file in our_files()
        if file.name.endswith("_events.proto")
        for message in file.message_type
    }


def documents() -> tuple[str, ...]:
    """Full names of the documents that operators write into Consul's KV."""
    return (".ordermesh.mesh.v1.TrafficPolicy", ".ordermesh.mesh.v1.ServiceSettings")


def reachable(roots: Iterator[str]) -> dict[str, DescriptorProto]:
    """Messages that the roots contain at any depth, themselves included."""
    found: dict[str, DescriptorProto] = {}
    pending = list(roots)
    while pending:
        name = pending.pop()
        if name not in found:
            found[name] = messages()[name]
            pending += [
                field.type_name for field in found[name].field if field.type == FieldDescriptorProto.TYPE_MESSAGE
            ]
    return found


@functools.cache
def request_fields() -> dict[str, FieldDescriptorProto]:
    """Every field of ours that a caller or an operator can fill, as `message.field`."""
    requests = reachable(iter([*(method.proto.input_type for method in methods()), *documents()]))
    return {
        f"{name[1:]}.{field.name}": field
        for name, message in sorted(requests.items())
        if name.startswith(f".{OUR_PACKAGES}") and not message.options.map_entry
        for field in message.field
    }


def rules(field: FieldDescriptorProto) -> validate_pb2.FieldRules:
    """What buf.validate demands of the field."""
    return field.options.Extensions[validate_pb2.field]


@functools.cache
def services_of_the_system() -> dict[str, dict[str, object]]:
    """The services of deploy/topology.toml, by name."""
    topology = tomllib.loads((CHECKOUT / "deploy" / "topology.toml").read_text())
    services: dict[str, dict[str, object]] = topology["services"]
    return services
