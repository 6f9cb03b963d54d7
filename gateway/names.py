"""Names in JSON bodies: one that a contract does not have, or that comes twice, is refused (names.lua).

Envoy's transcoder ignores the one and takes the last of the other, and has no option for either. The names come from
the contracts, in both spellings that protobuf's JSON has.
"""

from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.envoy import Json, lua, switched_on
from gateway.errors import NAME_FILTER
from gateway.options import Options
from mesh.contract import HttpBinding, MethodPolicy

SCRIPT = Path(__file__).with_name("names.lua")
WHOLE = "*"
RAW_BODY = "google.api.HttpBody"
# google.protobuf's own messages are written in JSON in ways of their own: as a string, or as anything.
WELL_KNOWN = "google.protobuf."

# A field's one name, the message inside of it or "", and whether it is a map of them.
Field = tuple[str, str, bool]
Names = dict[str, dict[str, Field]]


def name_filter(options: Options) -> Json:
    """Look at the bodies of the routes that ask for it."""
    source = "\n".join((*_constants(options), SCRIPT.read_text(encoding="utf-8")))
    return lua(NAME_FILTER, source, disabled=True)


def checked(route: Json, method: MethodPolicy, binding: HttpBinding, options: Options) -> Json:
    """Have the body of a REST route looked at, where it is JSON."""
    message = body_of(method, binding, options)
    if message is None:
        return route
    metadata = route["metadata"]["filter_metadata"] | {NAME_FILTER: {"message": message.full_name}}
    return route | {
        "metadata": {"filter_metadata": metadata},
        "typed_per_filter_config": route["typed_per_filter_config"] | switched_on(NAME_FILTER),
    }


def body_of(method: MethodPolicy, binding: HttpBinding, options: Options) -> Descriptor | None:
    """Give the message that a body is, if it is one as JSON. A stream of requests is not held back to be read."""
    if not binding.body or method.client_streaming:
        return None
    request = options.messages.request_of(method.full_name)
    body = request if binding.body == WHOLE else request.fields_by_name[binding.body].message_type
    return None if body is None or body.full_name == RAW_BODY else body


def names(messages: Iterator[Descriptor]) -> Names:
    """Give the names of messages and of all that is in them, by full name."""
    found: Names = {}
    waiting = list(messages)
    while waiting:
        message = waiting.pop()
        if message.full_name in found or _is_well_known(message):
            continue
        found[message.full_name] = {name: _told(field) for field in message.fields for name in _spellings(field)}
        waiting += [inside for field in message.fields if (inside := _inside(field))]
    return found


def _spellings(field: FieldDescriptor) -> tuple[str, str]:
    return field.json_name, field.name


def _told(field: FieldDescriptor) -> Field:
    inside = _inside(field)
    has_names = inside is not None and not _is_well_known(inside)
    return field.json_name, inside.full_name if inside and has_names else "", _is_map(field)


def _inside(field: FieldDescriptor) -> Descriptor | None:
    """Give the message that a field holds, alone, in a list, or as the values of a map."""
    message: Descriptor | None = field.message_type
    return message.fields_by_name["value"].message_type if message and _is_map(field) else message


def _is_map(field: FieldDescriptor) -> bool:
    return bool(field.message_type and field.message_type.GetOptions().map_entry)


def _is_well_known(message: Descriptor) -> bool:
    return message.full_name.startswith(WELL_KNOWN)


def _bodies(options: Options) -> Iterator[Descriptor]:
    for method in options.contract.methods:
        if method.access.is_routed:
            yield from (body for binding in method.bindings if (body := body_of(method, binding, options)))


def _constants(options: Options) -> Iterator[str]:
    """Write what the script is given."""
    yield f'local FILTER = "{NAME_FILTER}"'
    yield "local MESSAGES = {"
    for message, fields in sorted(names(_bodies(options)).items()):
        told = ", ".join(f'["{name}"] = {_literal(field)}' for name, field in fields.items())
        yield f'  ["{message}"] = {{ {told} }},'
    yield "}"


def _literal(field: Field) -> str:
    name, inside, is_map = field
    return f'{{"{name}", "{inside}", {str(is_map).lower()}}}'
