"""What messages may hold: requests are bounded, lists paged, enums have an unknown, and none is left over."""

import re

import pytest
from google.protobuf.descriptor_pb2 import EnumDescriptorProto, FieldDescriptorProto

from buf.validate import validate_pb2
from tests.contract.catalogue import (
    OUR_PACKAGES,
    Method,
    documents,
    enums,
    events,
    messages,
    methods,
    our_files,
    reachable,
    request_fields,
    rules,
    services_of_the_system,
)

TEXT = {FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_BYTES}
BOUNDS = {"uuid", "tuuid", "ulid", "ip", "ipv4", "ipv6", "const", "in", "len", "max_len", "max_bytes"}
CHARACTER_CLASS = re.compile(r"\\.|\[[^\]]*\]")
UNBOUNDED = re.compile(r"[*+]|\{\d*,\}")

listing = [method for method in methods() if method.proto.name.startswith("List")]
repeated = {n: f for n, f in request_fields().items() if f.label == FieldDescriptorProto.LABEL_REPEATED}
texts = {n: f for n, f in request_fields().items() if f.type in TEXT}
maps = {
    name: field
    for name, field in repeated.items()
    if field.type == FieldDescriptorProto.TYPE_MESSAGE and messages()[field.type_name].options.map_entry
}
choices = {n: f for n, f in request_fields().items() if f.type == FieldDescriptorProto.TYPE_ENUM}
foreign = {
    name: field
    for name, field in request_fields().items()
    if field.type == FieldDescriptorProto.TYPE_MESSAGE
    and not field.type_name.startswith(f".{OUR_PACKAGES}")
    and any(part.type in TEXT for part in messages()[field.type_name].field)
}


def value_rules(field: FieldDescriptorProto) -> validate_pb2.FieldRules:
    """Give the rules of one value: of each item when the field is repeated."""
    is_repeated = field.label == FieldDescriptorProto.LABEL_REPEATED
    return rules(field).repeated.items if is_repeated else rules(field)


def is_bounded_text(demanded: validate_pb2.FieldRules) -> bool:
    """Tell whether a text cannot grow without end: by its length, its format or a pattern that has an end."""
    kind = demanded.bytes if demanded.HasField("bytes") else demanded.string
    if {descriptor.name for descriptor, _ in kind.ListFields()} & BOUNDS:
        return True
    pattern = CHARACTER_CLASS.sub("x", str(kind.pattern))
    return pattern.startswith("^") and pattern.endswith("$") and not UNBOUNDED.search(pattern)


@pytest.mark.parametrize("field", texts.values(), ids=texts.keys())
def test_a_text_that_callers_send_is_bounded(field: FieldDescriptorProto) -> None:
    """Nobody can fill memory or the database with one field."""
    assert is_bounded_text(value_rules(field))


@pytest.mark.parametrize("field", repeated.values(), ids=repeated.keys())
def test_a_list_that_callers_send_is_bounded(field: FieldDescriptorProto) -> None:
    """The work of one call has an end."""
    assert rules(field).repeated.HasField("max_items") or rules(field).map.HasField("max_pairs")


@pytest.mark.parametrize("field", maps.values(), ids=maps.keys())
def test_the_texts_of_a_map_that_callers_send_are_bounded(field: FieldDescriptorProto) -> None:
    """A map's keys and values are bounded where the map is declared."""
    sides = zip((rules(field).map.keys, rules(field).map.values), messages()[field.type_name].field, strict=True)
    assert all(is_bounded_text(demanded) for demanded, side in sides if side.type in TEXT)


@pytest.mark.parametrize("field", foreign.values(), ids=foreign.keys())
def test_a_borrowed_message_that_callers_send_is_checked(field: FieldDescriptorProto) -> None:
    """Messages such as google.type.Money carry no rules of their own, so the field that holds one must."""
    assert rules(field).cel or rules(field).cel_expression


@pytest.mark.parametrize("field", choices.values(), ids=choices.keys())
def test_a_choice_that_callers_send_is_one_of_the_defined(field: FieldDescriptorProto) -> None:
    """Proto3 lets any number through unless told otherwise."""
    assert value_rules(field).enum.defined_only


@pytest.mark.parametrize("method", listing, ids=str)
def test_a_list_is_paged(method: Method) -> None:
    """AIP-158: paging from the first day, because adding it later breaks callers."""
    asked = {field.name: field.type for field in messages()[method.proto.input_type].field}
    given = {field.name: field for field in messages()[method.proto.output_type].field}
    assert asked.get("page_size") == FieldDescriptorProto.TYPE_INT32
    assert asked.get("page_token") == FieldDescriptorProto.TYPE_STRING
    assert given["next_page_token"].type == FieldDescriptorProto.TYPE_STRING
    assert sum(field.label == FieldDescriptorProto.LABEL_REPEATED for field in given.values()) == 1


@pytest.mark.parametrize("enum", enums().values(), ids=enums().keys())
def test_the_zero_of_an_enum_means_unspecified(enum: EnumDescriptorProto) -> None:
    """A field left out must not read as a real value."""
    assert next(value.name for value in enum.value if value.number == 0).endswith("UNSPECIFIED")


@pytest.mark.parametrize("event", events().items(), ids=lambda event: event[0][1:])
def test_an_event_has_a_topic_and_says_what_happened(event: tuple[str, str]) -> None:
    """Its package names the service, whose topic is in deploy/topology.toml; an empty event tells nothing."""
    name, package = event
    assert services_of_the_system()[package.split(".")[1]]["events_topic"]
    assert messages()[name].field


def test_every_service_publishes_events() -> None:
    """A state change without an event is invisible to the others."""
    assert {package.split(".")[1] for package in events().values()} == set(services_of_the_system())


def test_every_message_is_asked_given_told_or_kept() -> None:
    """A message that no RPC takes or returns, no event holds and no document of Consul's KV is, is a leftover."""
    calls = [name for method in methods() for name in (method.proto.input_type, method.proto.output_type)]
    options = ".ordermesh.options.v1.MethodPolicy"
    used = reachable(iter([*calls, *events(), *documents(), options]))
    ours = {f".{file.package}.{message.name}" for file in our_files() for message in file.message_type}
    assert ours - set(used) == set()
