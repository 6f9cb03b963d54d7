"""Writes the API reference and the catalogue of events as Markdown, from the contracts and their comments."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

from ordermesh.options.v1 import options_pb2

CHECKOUT = Path(__file__).resolve().parent.parent
# Numbers of the fields of FileDescriptorProto and ServiceDescriptorProto, which make the path to a comment.
MESSAGES, SERVICES, METHODS, FIELDS = 4, 6, 2, 2


def commented_files() -> list[FileDescriptorProto]:
    """Our contracts with their comments, which build/descriptors.binpb leaves out."""
    image = subprocess.check_output(["buf", "build", "-o", "-"], cwd=CHECKOUT)
    return [file for file in FileDescriptorSet.FromString(image).file if file.package.startswith("ordermesh.")]


def comments_of(file: FileDescriptorProto) -> dict[tuple[int, ...], str]:
    """Each element's comment in one line, by its path in the file."""
    return {
        tuple(location.path): " ".join(location.leading_comments.split()) for location in file.source_code_info.location
    }


def route(method: MethodDescriptorProto) -> str:
    """The method's REST route, or what it has instead."""
    rule: http_pb2.HttpRule = method.options.Extensions[annotations_pb2.http]  # type: ignore[index]
    verb = rule.WhichOneof("pattern")
    return f"`{verb.upper()} {getattr(rule, verb)}`" if verb else "gRPC between services only"


def access(policy: options_pb2.MethodPolicy) -> str:
    """Who may call, in a word or by the permission."""
    return f"`{policy.permission}`" if policy.permission else str(policy.WhichOneof("access"))


def method_lines(name: str, method: MethodDescriptorProto, comment: str) -> Iterator[str]:
    """One method: what it does, how to reach it and what may be done with a call."""
    policy = method.options.Extensions[options_pb2.policy]
    deadline = f"{policy.deadline.ToTimedelta().total_seconds():g} s"
    repeats = options_pb2.Idempotency.Name(policy.idempotency)
    yield f"### {name}.{method.name}\n\n{comment}\n"
    yield "| route | access | deadline | idempotency | request | reply |\n|---|---|---|---|---|---|"
    types = " | ".join(f"`{kind.rpartition('.')[2]}`" for kind in (method.input_type, method.output_type))
    yield f"| {route(method)} | {access(policy)} | {deadline} | {repeats} | {types} |\n"


def type_name(field: FieldDescriptorProto) -> str:
    """The field's type as a reader of the contract knows it."""
    kind = field.type_name.lstrip(".") or FieldDescriptorProto.Type.Name(field.type)[5:].lower()
    return f"{kind}[]" if field.label == FieldDescriptorProto.LABEL_REPEATED else kind


def message_lines(index: int, message: DescriptorProto, comments: dict[tuple[int, ...], str]) -> Iterator[str]:
    """One message and its fields."""
    yield f"### {message.name}\n\n{comments.get((MESSAGES, index), '')}\n"
    yield "| field | type | meaning |\n|---|---|---|"
    for number, field in enumerate(message.field):
        meaning = comments.get((MESSAGES, index, FIELDS, number), "").replace("|", "\\|")
        yield f"| `{field.name}` | `{type_name(field)}` | {meaning} |"
    yield ""


def api_lines(files: list[FileDescriptorProto]) -> Iterator[str]:
    """Every service with its methods."""
    yield "# The API, from its contracts\n"
    for file in files:
        comments = comments_of(file)
        for index, service in enumerate(file.service):
            yield f"## {file.package}.{service.name}\n\n{comments.get((SERVICES, index), '')}\n"
            for number, method in enumerate(service.method):
                path = (SERVICES, index, METHODS, number)
                yield from method_lines(service.name, method, comments.get(path, ""))


def event_lines(files: list[FileDescriptorProto]) -> Iterator[str]:
    """Every topic with the events it carries."""
    services = tomllib.loads((CHECKOUT / "deploy" / "topology.toml").read_text())["services"]
    yield "# The events, from their contracts\n"
    for file in files:
        if file.name.endswith("_events.proto"):
            yield f"## Topic {services[file.package.split('.')[1]]['events_topic']}: `{file.package}`\n"
            for index, message in enumerate(file.message_type):
                yield from message_lines(index, message, comments_of(file))


def main() -> None:
    """Write both pages into the folder given."""
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    files = commented_files()
    for name, lines in (("api.md", api_lines(files)), ("events.md", event_lines(files))):
        (target / name).write_text("\n".join(lines))
        print(target / name)


if __name__ == "__main__":
    main()
