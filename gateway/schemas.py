"""What the contracts say of fields, in words of JSON Schema: rules (buf.validate), and what replies always have.

The generator leaves both out.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from buf.validate import validate_pb2
from gateway.envoy import Json

# Rules of buf.validate that JSON Schema has a word for, by the kind of rules they are among.
LENGTHS = {"min_len": "minLength", "max_len": "maxLength", "pattern": "pattern"}
FORMATS = {"uuid": "uuid", "email": "email", "uri": "uri"}
COUNTS = {"min_items": "minItems", "max_items": "maxItems", "unique": "uniqueItems"}
PAIRS = {"min_pairs": "minProperties", "max_pairs": "maxProperties"}
# Whole numbers that JSON has as numbers; those of 64 bits are strings there.
WHOLE = ("int32", "uint32", "sint32")
# What must be above 4 is 5 at least.
BOUNDS = {"gte": ("minimum", 0), "gt": ("minimum", 1), "lte": ("maximum", 0), "lt": ("maximum", -1)}


class Messages:
    """The messages of the built contracts."""

    def __init__(self, descriptors: Path) -> None:
        """Read them from a FileDescriptorSet."""
        self._pool = descriptor_pool.DescriptorPool()
        self._files = FileDescriptorSet.FromString(descriptors.read_bytes()).file
        for file in self._files:
            self._pool.Add(file)

    def request_of(self, method: str) -> Descriptor:
        """Give the request of a method, by its gRPC path."""
        service, _, name = method.removeprefix("/").rpartition("/")
        found: Descriptor = self._pool.FindServiceByName(service).methods_by_name[name].input_type
        return found

    def reply_of(self, method: str) -> Descriptor:
        """Give the reply of a method, by its gRPC path."""
        service, _, name = method.removeprefix("/").rpartition("/")
        found: Descriptor = self._pool.FindServiceByName(service).methods_by_name[name].output_type
        return found

    def only_in_replies(self, methods: Iterable[str]) -> dict[str, Descriptor]:
        """Give those of ours that replies of the methods hold and requests never do, by the names of their schemas."""
        asked: set[str] = set()
        told: set[str] = set()
        for method in methods:
            _collect(self.request_of(method), asked)
            _collect(self.reply_of(method), told)
        return {name: each for name, each in self.by_name().items() if each.full_name in told - asked}

    def by_name(self) -> dict[str, Descriptor]:
        """Give all of ours by the short names that schemas have."""
        ours = (file for file in self._files if file.package.startswith("ordermesh."))
        tops = (
            self._pool.FindMessageTypeByName(f"{file.package}.{each.name}")
            for file in ours
            for each in file.message_type
        )
        return {each.full_name.removeprefix(each.file.package + ".").replace(".", "_"): each for each in _all(tops)}


def rules_of(field: FieldDescriptor) -> validate_pb2.FieldRules:
    """Give what buf.validate asks of a field."""
    rules: validate_pb2.FieldRules = field.GetOptions().Extensions[validate_pb2.field]
    return rules


def is_required(field: FieldDescriptor) -> bool:
    """Tell whether a field has to be given."""
    behaviors: list[int] = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]  # type: ignore[index]
    return field_behavior_pb2.REQUIRED in behaviors


def constrain(schema: Json, field: FieldDescriptor) -> None:
    """Add to the schema of a field, or of a parameter that stands for it, what is asked of its value."""
    _constrain(schema, rules_of(field))


def constrain_all(schemas: Json, messages: Messages) -> None:
    """Add to the schemas of all our messages what is asked of their fields."""
    for name, message in messages.by_name().items():
        properties = schemas.get(name, {}).get("properties", {})
        for field in message.fields:
            if field.json_name in properties:
                constrain(properties[field.json_name], field)


def require_printed(schemas: Json, messages: Mapping[str, Descriptor]) -> None:
    """Mark in the schemas of replies what the edge writes also when it is empty: all but what has presence."""
    for name, message in messages.items():
        properties = schemas.get(name, {}).get("properties", {})
        printed = [field.json_name for field in message.fields if not field.has_presence]
        if required := [each for each in printed if each in properties]:
            schemas[name]["required"] = required


def _collect(message: Descriptor, found: set[str]) -> None:
    """Add the names of a message and of all that it may hold."""
    if message.full_name not in found:
        found.add(message.full_name)
        for field in message.fields:
            if field.message_type is not None:
                _collect(field.message_type, found)


def _constrain(schema: Json, rules: validate_pb2.FieldRules) -> None:
    kind = rules.WhichOneof("type")
    if kind is None:
        return
    asked: Any = getattr(rules, kind)
    match kind:
        case "string":
            schema |= _said(asked, LENGTHS)
            if form := FORMATS.get(asked.WhichOneof("well_known") or ""):
                schema["format"] = form
        case "repeated":
            schema |= _said(asked, COUNTS)
            _constrain(schema.get("items", {}), asked.items)
        case "map":
            schema |= _said(asked, PAIRS)
            _constrain(schema.get("additionalProperties", {}), asked.values)
        case _ if kind in WHOLE:
            schema |= {
                word: getattr(asked, rule) + more for rule, (word, more) in BOUNDS.items() if asked.HasField(rule)
            }
        case _:
            pass


def _said(asked: Any, words: dict[str, str]) -> Json:  # noqa: ANN401 - one of many kinds of rules
    return {word: getattr(asked, rule) for rule, word in words.items() if asked.HasField(rule)}


def _all(messages: Iterator[Descriptor]) -> Iterator[Descriptor]:
    for message in messages:
        yield message
        yield from _all(iter(message.nested_types))
