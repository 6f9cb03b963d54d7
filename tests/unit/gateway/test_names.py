"""The names that a JSON body may have are those of the contracts, as protobuf's own JSON reads them."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, struct_pb2, timestamp_pb2
from google.protobuf.descriptor import Descriptor

from gateway import Options
from gateway.envoy import Json
from gateway.errors import NAME_FILTER
from gateway.names import body_of, names
from gateway.routes import api_routes
from mesh.contract import Contract, HttpBinding, MethodPolicy

OUTSIDE = [each for each in Contract.load().methods if each.access.is_routed]
BOUND = [(method, binding) for method in OUTSIDE for binding in method.bindings]
SCALAR = descriptor_pb2.FieldDescriptorProto.TYPE_STRING


@pytest.mark.parametrize(("method", "binding"), BOUND, ids=lambda each: getattr(each, "path", ""))
def test_a_body_has_the_names_that_protobuf_reads(options: Options, method: MethodPolicy, binding: HttpBinding) -> None:
    """In both spellings, and no other."""
    message = body_of(method, binding, options)
    if message is None:
        return
    parsed = message_factory.GetMessageClass(message)
    for name in names(iter([message]))[message.full_name]:
        json_format.ParseDict({name: None}, parsed())
    spelled = {name for field in message.fields for name in (field.name, field.json_name)}

    assert names(iter([message]))[message.full_name].keys() == spelled


def test_every_json_body_is_looked_at_and_nothing_else(options: Options) -> None:
    """Not what is no JSON: deliveries, forms and files; nor gRPC, nor what has no body."""
    looked_at = {message_of(route) for route in api_routes(options) if NAME_FILTER in filters_of(route)}
    whole = {options.messages.request_of(each.full_name).full_name for each, binding in BOUND if binding.body == "*"}

    assert looked_at == whole


def filters_of(route: Json) -> Json:
    """What a route has for filters of its own."""
    found: Json = route.get("typed_per_filter_config", {})
    return found


def message_of(route: Json) -> str:
    """The message by which a route's body is read."""
    found: str = route["metadata"]["filter_metadata"][NAME_FILTER]["message"]
    return found


@pytest.fixture(scope="module")
def outer() -> Descriptor:
    """Make a message with a field of every kind that is special in JSON."""
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    file.dependency.extend(["google/protobuf/struct.proto", "google/protobuf/timestamp.proto"])
    inner = file.message_type.add(name="Inner")
    inner.field.add(name="its_name", number=1, type=SCALAR, label="LABEL_OPTIONAL")
    made = file.message_type.add(name="Outer")
    entry = made.nested_type.add(name="ByNameEntry", options={"map_entry": True})
    entry.field.add(name="key", number=1, type=SCALAR, label="LABEL_OPTIONAL")
    entry.field.add(name="value", number=2, type_name=".t.Inner", type="TYPE_MESSAGE", label="LABEL_OPTIONAL")
    kinds = {
        "several": (".t.Inner", "LABEL_REPEATED"),
        "itself": (".t.Outer", "LABEL_OPTIONAL"),
        "by_name": (".t.Outer.ByNameEntry", "LABEL_REPEATED"),
        "at_time": (".google.protobuf.Timestamp", "LABEL_OPTIONAL"),
        "anything": (".google.protobuf.Struct", "LABEL_OPTIONAL"),
    }
    for number, (name, (type_name, label)) in enumerate(kinds.items(), 1):
        made.field.add(name=name, number=number, type_name=type_name, type="TYPE_MESSAGE", label=label)
    pool = descriptor_pool.DescriptorPool()
    for known in (struct_pb2, timestamp_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return pool.FindMessageTypeByName("t.Outer")


def test_what_is_inside_has_names_of_its_own(outer: Descriptor) -> None:
    """In a list, in a map's values, and in itself; what protobuf writes in ways of its own may hold anything."""
    assert names(iter([outer])) == {
        "t.Inner": {"itsName": ("itsName", "", False), "its_name": ("itsName", "", False)},
        "t.Outer": {
            "several": ("several", "t.Inner", False),
            "itself": ("itself", "t.Outer", False),
            "byName": ("byName", "t.Inner", True),
            "by_name": ("byName", "t.Inner", True),
            "atTime": ("atTime", "", False),
            "at_time": ("atTime", "", False),
            "anything": ("anything", "", False),
        },
    }
