"""The REST API as OpenAPI 3: made from the contracts by protoc-gen-openapi, and told what their options say."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from gateway.envoy import Json
from mesh.contract import AccessKind, Contract, Idempotency, MethodPolicy, RateClass

CHECKOUT = Path(__file__).resolve().parents[1]
TEMPLATE = Path(__file__).with_name("buf.gen.openapi.yaml")
TIMEOUT_SECONDS = 60
MEDIA_TYPE = "application/json"
TOKEN = "accessToken"  # noqa: S105 - the name of a security scheme
INTRODUCTION = """
Orders, products, stock, payments and notifications over HTTP and JSON. The same methods are gRPC and gRPC-Web on the
same port.

- **Token.** Register, log in, and send `Authorization: Bearer <accessToken>`. Methods marked public need none.
- **Errors** are `google.rpc.Status`: a code, a sentence, and details. `ErrorInfo.reason` is what a program should look
  at, `BadRequest` names the fields at fault, `RequestInfo.requestId` is what to quote when you ask us.
- **Money** is `google.type.Money`: whole units as a string, and billionths in `nanos`. 19.99 EUR is
  `{"currencyCode": "EUR", "units": "19", "nanos": 990000000}`.
- **Repeat safely.** With an `Idempotency-Key` an order is placed once however often it is sent.
- **Pages.** Ask again with `pageToken` set to `nextPageToken` until that is empty.
- **Unknown fields** of a request are ignored.
"""
STATUS: Json = {
    "type": "object",
    "description": "google.rpc.Status: what every error is.",
    "properties": {
        "code": {
            "type": "integer",
            "format": "int32",
            "description": "A google.rpc.Code, such as 3, INVALID_ARGUMENT.",
        },
        "message": {"type": "string", "description": "For people to read."},
        "details": {
            "type": "array",
            "description": "ErrorInfo always; BadRequest, RetryInfo and RequestInfo where they apply.",
            "items": {
                "type": "object",
                "properties": {"@type": {"type": "string"}},
                "additionalProperties": True,
                "required": ["@type"],
            },
        },
    },
    "required": ["code", "message"],
}
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


class OpenApiError(Exception):
    """The generator failed; the message is what it said."""


def describe(contract: Contract, *, generator: Path) -> Json:
    """Build the description of the API. Raises OpenApiError."""
    document = _generate(generator)
    document["info"] = {"title": "ordermesh", "version": "v1", "description": INTRODUCTION.strip()}
    components = document["components"]
    components["schemas"]["Status"] = STATUS
    for name, example in EXAMPLES.items():
        components["schemas"][name]["example"] = example
    components["responses"] = {"Error": _error_response()}
    components["securitySchemes"] = {TOKEN: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    policies = {f"{policy.service.rpartition('.')[2]}_{policy.method}": policy for policy in contract.methods}
    for operation in _operations(document):
        _tell(operation, policies[operation["operationId"]], components["schemas"])
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


def _tell(operation: Json, policy: MethodPolicy, schemas: Json) -> None:
    """Add what the contract's options say of a method."""
    public = policy.access.kind is AccessKind.PUBLIC
    operation["security"] = [] if public else [{TOKEN: []}]
    operation["responses"]["default"] = {"$ref": "#/components/responses/Error"}
    operation["x-permission"] = policy.access.permission or "public"
    operation["x-deadline-seconds"] = policy.deadline.total_seconds()
    operation["x-idempotency"] = policy.idempotency.name
    if policy.rate is RateClass.STRICT:
        operation["x-rate"] = policy.rate.name
    body = _body(operation, schemas)
    _leave_to_path(operation, body)
    if policy.idempotency is not Idempotency.SAFE and "requestId" in body.get("properties", {}):
        operation["parameters"] = [*operation.get("parameters", []), IDEMPOTENCY_KEY]


def _body(operation: Json, schemas: Json) -> Json:
    content = operation.get("requestBody", {}).get("content", {})
    reference = content.get(MEDIA_TYPE, {}).get("schema", {}).get("$ref", "")
    found: Json = schemas.get(reference.rpartition("/")[2], {})
    return found


def _leave_to_path(operation: Json, body: Json) -> None:
    """Take out of the body what the path says: the generator has it in both."""
    in_path = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
    for name in in_path:
        body.get("properties", {}).pop(name, None)
    required = [each for each in body.pop("required", []) if each not in in_path]
    if required:
        body["required"] = required


def _error_response() -> Json:
    schema = {"$ref": "#/components/schemas/Status"}
    return {"description": "What went wrong, and what to do about it.", "content": {MEDIA_TYPE: {"schema": schema}}}


def _tidied(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Take the comment signs' indentation out of descriptions, and a format that OpenAPI doesn't have."""
    if isinstance(value, dict):
        return {
            key: each.replace("\n ", "\n") if key == "description" and isinstance(each, str) else _tidied(each)
            for key, each in value.items()
            if (key, each) != ("format", "enum")
        }
    return [_tidied(each) for each in value] if isinstance(value, list) else value
