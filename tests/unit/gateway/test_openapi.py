"""The description of the API says what the contracts say. The generator is a program; it opens no socket."""

import importlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.message import Message
from openapi_spec_validator import validate

from deploy.native import components
from deploy.native.errors import InstallError
from deploy.native.runtime import Runtime
from gateway.envoy import Json
from gateway.openapi import EXAMPLES, OpenApiError, describe
from mesh.contract import AccessKind, Contract, MethodPolicy
from mesh.validation import validate as validate_message

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def generator() -> Path:
    """Find protoc-gen-openapi, which a machine that has run no `make openapi` nor `make up` does not have."""
    versions = Runtime.load(CHECKOUT, os.environ).versions
    try:
        found = components.locate(cache=components.cache_directory(), versions=versions).protoc_gen_openapi
    except InstallError:
        pytest.skip("protoc-gen-openapi is not installed; `make openapi` does it")
    return found


@pytest.fixture(scope="module")
def document(contract: Contract, generator: Path) -> Json:
    """Generate it once."""
    return describe(contract, generator=generator)


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """All operations with verb and path."""
    for path, item in document["paths"].items():
        for verb, operation in item.items():
            yield verb.upper(), path, operation


def operation(document: Json, name: str) -> Json:
    """One operation, as in OrderService_GetOrder."""
    (found,) = [each for _, _, each in operations(document) if each["operationId"] == name]
    return found


def in_json(path: str) -> str:
    """Name the variables of a path as JSON does: order_id is orderId."""
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), path)


def policy(contract: Contract, operation_id: str) -> MethodPolicy:
    """The method behind an operation."""
    (found,) = [each for each in contract.methods if operation_id == f"{each.service.rpartition('.')[2]}_{each.method}"]
    return found


def test_it_is_valid(document: Json) -> None:
    """By the schema of OpenAPI 3."""
    validate(document)


def test_it_has_every_rest_path_and_no_other(document: Json, contract: Contract) -> None:
    """So nothing internal; its variables are named as in JSON."""
    described = {(verb, path) for verb, path, _ in operations(document)}

    assert described == {(each.verb, in_json(each.path)) for method in contract.methods for each in method.bindings}


def test_each_operation_says_what_its_contract_says(document: Json, contract: Contract) -> None:
    """Token, permission, deadline, and whether it may be repeated."""
    for _, _, each in operations(document):
        method = policy(contract, each["operationId"])
        public = method.access.kind is AccessKind.PUBLIC
        client: list[Json] = [{"clientSecret": []}, {}] if method.oauth_endpoint else []
        assert each["security"] == (client if public else [{"accessToken": []}])
        assert each["x-permission"] == ("public" if public else method.access.permission)
        assert each["x-deadline-seconds"] == method.deadline.total_seconds()
        assert each["x-idempotency"] == method.idempotency.name


def test_each_operation_fails_with_a_status(document: Json, contract: Contract) -> None:
    """The one shape of all errors; those of OAuth 2 have the shape of its standard."""
    for _, _, each in operations(document):
        told = each["responses"]["default"]
        if policy(contract, each["operationId"]).oauth_endpoint:
            assert told["content"]["application/json"]["schema"]["required"] == ["error"]
        else:
            assert told == {"$ref": "#/components/responses/Error"}
    for response in document["components"]["responses"].values():
        content = response["content"]["application/problem+json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_an_example_of_an_error_is_a_problem(document: Json) -> None:
    """Of its own status, by the schema."""
    schema = document["components"]["schemas"]["Problem"]
    for name, response in document["components"]["responses"].items():
        content = response["content"]["application/problem+json"]
        if name != "Error":
            jsonschema.validate(content["example"], schema)
            assert name == f"Problem{content['example']['status']}"


def test_statuses_are_those_that_can_come(document: Json) -> None:
    """A public read has nothing to forbid and no condition to fail; a change of one order has."""
    read = operation(document, "ProductService_ListProducts")["responses"].keys()
    change = operation(document, "OrderService_CancelOrder")["responses"].keys()

    assert not {"403", "404", "409", "412", "413"} & read
    assert {"400", "401", "403", "404", "409", "412", "413", "429", "503", "504"} <= change


def test_every_body_has_an_example_that_its_contract_takes(document: Json, contract: Contract) -> None:
    """As a message, by the rules of buf.validate; what the path gives is given here too."""
    for _, path, each in operations(document):
        content = each.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            request = request_of(policy(contract, each["operationId"]))
            given = {name: in_path(each, name) for name in re.findall(r"\{(\w+)\}", path)}
            validate_message(json_format.ParseDict(content["application/json"]["example"] | given, request))


def in_path(operation: Json, name: str) -> object:
    """The example of a path's variable."""
    (found,) = [each for each in operation["parameters"] if each["name"] == name]
    return found["example"]


def request_of(method: MethodPolicy) -> Message:
    """An empty request; Contract.load has read no module of its own, so the gateway's backend brings them."""
    importlib.import_module(f"{method.service.rpartition('.')[0]}.{file_of(method)}_pb2")
    service = descriptor_pool.Default().FindServiceByName(method.service)
    return message_factory.GetMessageClass(service.methods_by_name[method.method].input_type)()


def file_of(method: MethodPolicy) -> str:
    """The module of a service: payment_service for PaymentService."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", method.service.rpartition(".")[2]).lower()


def test_rules_of_the_contract_are_in_the_schemas(document: Json) -> None:
    """Lengths, patterns, bounds and counts; of parameters too."""
    schemas = document["components"]["schemas"]
    lines = schemas["CreateOrderRequest"]["properties"]["lines"]
    page_size = next(
        each for each in operation(document, "OrderService_ListOrders")["parameters"] if each["name"] == "pageSize"
    )

    assert (lines["minItems"], lines["maxItems"]) == (1, 100)
    assert schemas["CreateOrderLine"]["properties"]["quantity"]["minimum"] == 1
    assert schemas["RegisterRequest"]["properties"]["email"]["format"] == "email"
    assert page_size["schema"]["minimum"] == 0


def described_replies(document: Json) -> Iterator[tuple[str, Json, Json]]:
    """Each operation that has an example of its reply, with the schema and the example."""
    for _, _, each in operations(document):
        for content in each["responses"].get("200", {}).get("content", {}).values():
            if "example" in content:
                yield (
                    each["operationId"],
                    content["schema"] | {"components": document["components"]},
                    content["example"],
                )


def test_an_example_of_a_reply_is_one_by_its_schema(document: Json) -> None:
    """With every field that is always there, and none that the schema does not have."""
    for name, schema, example in described_replies(document):
        jsonschema.validate(example, schema)
        reference = schema.get("$ref", "").rpartition("/")[2]
        known = document["components"]["schemas"][reference]["properties"] if reference else schema["properties"]
        assert example.keys() <= known.keys(), name


def test_the_main_resources_have_examples(document: Json) -> None:
    """One by one, in a list, and what a log-in brings, also of a machine."""
    assert {
        "OrderService_GetOrder", "OrderService_ListOrders", "ProductService_GetProduct", "PaymentService_GetPayment",
        "InventoryService_GetStock", "AuthService_Login", "AuthService_GetCurrentUser", "OAuthService_Token",
    } <= {name for name, _, _ in described_replies(document)}  # fmt: skip


def test_amounts_of_the_example_of_an_order_add_up(document: Json) -> None:
    """A reader may count."""
    ((_, _, order),) = [each for each in described_replies(document) if each[0] == "OrderService_GetOrder"]
    cents = {name: int(each["units"]) * 100 + each["nanos"] // 10_000_000 for name, each in amounts(order)}
    assert cents["total"] == cents["itemsAmount"] + cents["shippingAmount"]
    assert cents["itemsAmount"] == cents["lines[0].amount"] == 2 * cents["lines[0].unitPrice"]
    assert cents["taxAmount"] == cents["lines[0].taxAmount"] + cents["shippingTaxAmount"]


def amounts(order: Json) -> Iterator[tuple[str, Json]]:
    """All money of an order and of its line, by its name."""
    for prefix, holder in (("", order), ("lines[0].", order["lines"][0])):
        yield from (
            (prefix + name, each) for name, each in holder.items() if isinstance(each, dict) and "nanos" in each
        )


def test_replies_require_what_is_always_written(document: Json) -> None:
    """Typed clients need not ask for it; parts of messages, and what is optional, may be away."""
    schemas = document["components"]["schemas"]
    order = schemas["Order"]
    assert set(order["properties"]) - set(order["required"]) == {
        "total", "shippingAddress", "rejection", "createTime", "updateTime", "itemsAmount", "shippingAmount",
        "taxAmount", "shippingTaxAmount", "capturedAmount", "refundedAmount",
    }  # fmt: skip
    assert schemas["StockPolicy"]["required"] == ["safetyStock", "backorderLimit"]
    assert "required" not in schemas["CreateOrderOutcome"]
    assert schemas["ListOrdersResponse"]["required"] == ["orders", "nextPageToken"]


def test_requests_require_what_their_contract_requires(document: Json) -> None:
    """Nothing more: not even a message that replies hold too."""
    schemas = document["components"]["schemas"]
    assert schemas["CreateOrderRequest"]["required"] == ["lines", "shippingAddress", "paymentToken"]
    assert not any("required" in schemas[name] for name in ("Variant", "Money", "PostalAddress"))


def test_a_stream_is_told_as_server_sent_events(document: Json) -> None:
    """With what each event holds."""
    content = operation(document, "OrderService_WatchOrder")["responses"]["200"]["content"]

    assert content["text/event-stream"]["x-item-schema"] == {"$ref": "#/components/schemas/Order"}


def test_a_raw_body_may_be_anything(document: Json) -> None:
    """Deliveries are signed byte by byte, and files are no JSON."""
    content = operation(document, "WebhookService_ReceiveWebhook")["requestBody"]["content"]

    assert content == {"*/*": {"schema": {"type": "string", "format": "binary"}}}


@pytest.mark.parametrize(
    ("name", "takes"),
    [
        ("OrderService_CancelOrder", True),
        ("OrderService_CreateOrder", False),
        ("RoleService_UpdateRole", True),
        ("RoleService_DeleteRole", True),
        ("RoleService_GetRole", False),
    ],
)
def test_what_has_an_etag_takes_a_condition(document: Json, name: str, takes: bool) -> None:  # noqa: FBT001
    """As a header beside the field."""
    parameters = [each["name"] for each in operation(document, name).get("parameters", [])]

    assert ("If-Match" in parameters) is takes


@pytest.mark.parametrize(
    ("name", "takes"),
    [
        ("OrderService_GetOrder", True), ("ProductService_ListProducts", True),
        ("OrderService_ListOrders", False), ("OrderService_CancelOrder", False), ("OrderService_WatchOrder", False),
    ],
)  # fmt: skip
def test_what_is_read_with_a_tag_takes_a_condition(document: Json, name: str, takes: bool) -> None:  # noqa: FBT001
    """And may be answered with nothing."""
    found = operation(document, name)

    assert ("If-None-Match" in [each["name"] for each in found.get("parameters", [])]) is takes
    assert ("304" in found["responses"]) is takes
    assert ("ETag" in found["responses"]["200"].get("headers", {})) is takes


@pytest.mark.parametrize(
    ("name", "takes"),
    [("OrderService_CreateOrder", True), ("OrderService_GetOrder", False), ("OrderService_ListOrders", False)],
)
def test_what_may_be_repeated_safely_takes_a_key(document: Json, name: str, takes: bool) -> None:  # noqa: FBT001
    """A read needs none."""
    parameters = [each["name"] for each in operation(document, name).get("parameters", [])]

    assert ("Idempotency-Key" in parameters) is takes


def test_what_guesses_secrets_says_that_it_is_counted_strictly(document: Json) -> None:
    """Clients should know."""
    assert operation(document, "AuthService_Login")["x-rate"] == "STRICT"
    assert "x-rate" not in operation(document, "OrderService_GetOrder")


def test_every_reference_leads_somewhere(document: Json) -> None:
    """The validator does not look at those that nothing uses."""
    for reference in references(document):
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
        assert place


def references(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """Every $ref in it."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_has_fields_of_its_type(document: Json, name: str) -> None:
    """And values of the right kind."""
    schema = document["components"]["schemas"][name]
    kinds = {"string": str, "integer": int, "array": list}

    for field, value in schema["example"].items():
        assert isinstance(value, kinds[schema["properties"][field]["type"]])


def test_descriptions_are_prose(document: Json) -> None:
    """Without what the comment signs of the contracts leave behind."""
    assert document["info"]["description"].startswith("Orders, products")
    for _, _, each in operations(document):
        assert each["description"]
        assert "\n " not in each["description"]


def test_a_generator_that_fails_is_said_in_its_own_words(contract: Contract, tmp_path: Path) -> None:
    """Here: it ends at once."""
    broken = tmp_path / "protoc-gen-openapi"
    broken.write_text("#!/bin/sh\necho 'out of ink' >&2\nexit 1\n")
    broken.chmod(0o700)

    with pytest.raises(OpenApiError, match="out of ink"):
        describe(contract, generator=broken)
