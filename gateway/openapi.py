"""The REST API as OpenAPI 3: made from the contracts by protoc-gen-openapi, and told what their options say."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.descriptor import Descriptor

from gateway import openapi_oauth
from gateway.conditions import has_tag
from gateway.envoy import Json
from gateway.examples import example_of, value_of
from gateway.openapi_errors import PROBLEM, responses, responses_of, schema
from gateway.replies import example_of_reply
from gateway.schemas import Messages, constrain, constrain_all, is_required, require_printed
from mesh.contract import DESCRIPTORS, AccessKind, Contract, Idempotency, MethodPolicy, RateClass

CHECKOUT = Path(__file__).resolve().parents[1]
TEMPLATE = Path(__file__).with_name("buf.gen.openapi.yaml")
TIMEOUT_SECONDS = 60
MEDIA_TYPE = "application/json"
EVENTS = "text/event-stream"
ANYTHING = "*/*"
RAW_BODY = "google.api.HttpBody"
TOKEN = "accessToken"  # noqa: S105 - the name of a security scheme
INTRODUCTION = """
Orders, products, stock, payments and notifications over HTTP and JSON. The same methods are gRPC and gRPC-Web on the
same port.

- **Token.** Register, log in, and send `Authorization: Bearer <accessToken>`. Methods marked public need none.
- **Errors** are problems (RFC 9457) that have the members of a `google.rpc.Status` too. `reason` is what a program
  should look at, `errors` names the fields at fault, and the header `x-request-id` is what to quote when you ask us.
- **Money** is `google.type.Money`: whole units as a string, and billionths in `nanos`. 19.99 EUR is
  `{"currencyCode": "EUR", "units": "19", "nanos": 990000000}`.
- **Repeat safely.** With an `Idempotency-Key` an order is placed once however often it is sent.
- **Pages.** Ask again with `pageToken` set to `nextPageToken` until that is empty.
- **Unknown fields** of a request are refused, and so is a name that comes twice.
"""
# What the types of google.type look like when they are filled in; the API page begins with these.
EXAMPLES: dict[str, Json] = {
    "Money": {"currencyCode": "EUR", "units": "19", "nanos": 990000000},
    "PostalAddress": {
        "regionCode": "DE",
        "postalCode": "10115",
        "locality": "Berlin",
        "addressLines": ["Invalidenstrasse 1"],
        "recipients": ["Dana Demo"],
    },
}
IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Chosen by you, unique for each thing you mean to do; the same as `requestId` in the body.",
    "schema": {"type": "string", "maxLength": 255},
}


IF_MATCH: Json = {
    "name": "If-Match",
    "in": "header",
    "description": "The `etag` that it must still have, in quotes; the same as the field `etag`.",
    "schema": {"type": "string", "maxLength": 66},
}

IF_NONE_MATCH: Json = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of what you have already: nothing is sent when it is still that.",
    "schema": {"type": "string", "maxLength": 255},
}
TAGGED: Json = {"headers": {"ETag": {"description": "Another one for another content.", "schema": {"type": "string"}}}}
NOT_MODIFIED: Json = {"description": "It is what `If-None-Match` says."} | TAGGED


class OpenApiError(Exception):
    """The generator failed; the message is what it said."""


def describe(contract: Contract, *, generator: Path, descriptors: Path = DESCRIPTORS) -> Json:
    """Build the description of the API. Raises OpenApiError."""
    document, messages = _generate(generator), Messages(descriptors)
    document["info"] = {"title": "ordermesh", "version": "v1", "description": INTRODUCTION.strip()}
    components = document["components"]
    components["schemas"][PROBLEM] = schema()
    for name, example in EXAMPLES.items():
        components["schemas"][name]["example"] = example
    constrain_all(components["schemas"], messages)
    described = [method.full_name for method in contract.methods if method.bindings]
    require_printed(components["schemas"], messages.only_in_replies(described))
    components["responses"] = responses()
    components["securitySchemes"] = {TOKEN: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}} | {
        openapi_oauth.CLIENT: openapi_oauth.SCHEME
    }
    policies = {f"{policy.service.rpartition('.')[2]}_{policy.method}": policy for policy in contract.methods}
    for operation in _operations(document):
        _tell(operation, policies[operation["operationId"]], components["schemas"], messages)
    tidied: Json = _tidied(document)
    return tidied


def _generate(generator: Path) -> Json:
    path = os.pathsep.join([str(generator.parent), os.environ.get("PATH", os.defpath)])
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(  # noqa: S603 - our own template
            ["buf", "generate", "--template", TEMPLATE, "-o", folder],  # noqa: S607 - found on PATH
            cwd=CHECKOUT,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
        if done.returncode != 0:
            raise OpenApiError(f"buf could not describe the API: {done.stderr.strip()}")
        document: Json = yaml.safe_load((Path(folder) / "openapi.yaml").read_text(encoding="utf-8"))
    return document


def _operations(document: Json) -> Iterator[Json]:
    for item in document["paths"].values():
        yield from item.values()


def _tell(operation: Json, policy: MethodPolicy, schemas: Json, messages: Messages) -> None:
    """Add what the contract says of a method and of its request."""
    public = policy.access.kind is AccessKind.PUBLIC
    operation["security"] = [] if public else [{TOKEN: []}]
    operation["x-permission"] = policy.access.permission or "public"
    operation["x-deadline-seconds"] = policy.deadline.total_seconds()
    operation["x-idempotency"] = policy.idempotency.name
    if policy.rate is RateClass.STRICT:
        operation["x-rate"] = policy.rate.name
    request = messages.request_of(policy.full_name)
    in_path = _fill_parameters(operation, request)
    body = _body(operation, schemas)
    _leave_to_path(in_path, body)
    _fill_body(operation, body, request, in_path)
    changes = policy.idempotency is not Idempotency.SAFE
    if changes and "requestId" in body.get("properties", {}):
        _parameters(operation).append(IDEMPOTENCY_KEY)
    named = {*body.get("properties", {}), *(each["name"] for each in operation.get("parameters", []))}
    has_etag = changes and "etag" in named
    if has_etag:
        _parameters(operation).append(IF_MATCH)
    if not changes and (policy.cache_ttl or has_tag(policy, messages)):
        _parameters(operation).append(IF_NONE_MATCH)
        operation["responses"] |= {"200": operation["responses"]["200"] | TAGGED, "304": NOT_MODIFIED}
    if example := example_of_reply(messages.reply_of(policy.full_name)):
        operation["responses"]["200"]["content"][MEDIA_TYPE]["example"] = example
    if policy.server_streaming:
        operation["responses"]["200"] = _stream(operation["responses"]["200"])
    has_body = "requestBody" in operation
    operation["responses"] |= responses_of(policy, has_path=bool(in_path), has_body=has_body, has_etag=has_etag)
    if policy.oauth_endpoint:
        openapi_oauth.rewrite(operation, policy.method)


def _parameters(operation: Json) -> list[Json]:
    found: list[Json] = operation.setdefault("parameters", [])
    return found


def _fill_parameters(operation: Json, request: Descriptor) -> set[str]:
    """Say what is asked of each parameter, with an example of those that are needed; give the names of the path's."""
    fields = {field.json_name: field for field in request.fields}
    for parameter in operation.get("parameters", []):
        if field := fields.get(parameter["name"]):
            constrain(parameter["schema"], field)
            if is_required(field):
                parameter |= {"required": True, "example": value_of(field)}
    return {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}


def _fill_body(operation: Json, body: Json, request: Descriptor, in_path: set[str]) -> None:
    """Give an example of the body, which has no names but its own; one that is bytes may be anything."""
    if "requestBody" not in operation:
        return
    raw = any(field.message_type and field.message_type.full_name == RAW_BODY for field in request.fields)
    if raw:
        content: Json = {ANYTHING: {"schema": {"type": "string", "format": "binary"}}}
    else:
        body["additionalProperties"] = False
        example = {name: value for name, value in example_of(request).items() if name not in in_path}
        content = {MEDIA_TYPE: operation["requestBody"]["content"][MEDIA_TYPE] | {"example": example}}
    operation["requestBody"]["content"] = content


def _stream(response: Json) -> Json:
    """Tell a stream of answers as what it is over REST; OpenAPI 3.0 has no word for what each event holds."""
    item = response["content"][MEDIA_TYPE]["schema"]
    events = {"schema": {"type": "string"}, "x-item-schema": item}
    words = "Server-sent events; the `data` of each is the answer as JSON. What fails ends with an `error`, a problem."
    return {"description": words, "content": {EVENTS: events}}


def _body(operation: Json, schemas: Json) -> Json:
    content = operation.get("requestBody", {}).get("content", {})
    reference = content.get(MEDIA_TYPE, {}).get("schema", {}).get("$ref", "")
    found: Json = schemas.get(reference.rpartition("/")[2], {})
    return found


def _leave_to_path(in_path: set[str], body: Json) -> None:
    """Take out of the body what the path says: the generator has it in both."""
    for name in in_path:
        body.get("properties", {}).pop(name, None)
    required = [each for each in body.pop("required", []) if each not in in_path]
    if required:
        body["required"] = required


def _tidied(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Take the comment signs' indentation out of descriptions, and a format that OpenAPI doesn't have."""
    if isinstance(value, dict):
        return {
            key: each.replace("\n ", "\n") if key == "description" and isinstance(each, str) else _tidied(each)
            for key, each in value.items()
            if (key, each) != ("format", "enum")
        }
    return [_tidied(each) for each in value] if isinstance(value, list) else value
