"""Every refusal of the edge is a google.rpc.Status, for those who read JSON."""

import base64
from typing import Any

import pytest
from google.protobuf import json_format
from google.rpc import code_pb2, error_details_pb2, status_pb2

from gateway.envoy import Json
from gateway.errors import CORRECTED, DOMAIN, REFUSALS, UNKNOWN_METHOD, local_replies
from mesh.status import DETAILS_KEY

# The codes and HTTP statuses of google/rpc/code.proto.
HTTP_STATUS = {
    "INVALID_ARGUMENT": {400, 415},
    "UNAUTHENTICATED": {401},
    "PERMISSION_DENIED": {403},
    "NOT_FOUND": {404},
    "UNIMPLEMENTED": {405, 501},
    "RESOURCE_EXHAUSTED": {429},
    "OUT_OF_RANGE": {400, 413, 431},
    "INTERNAL": {500},
    "UNAVAILABLE": {502, 503},
    "DEADLINE_EXCEEDED": {408, 504},
}


def mappers() -> list[Json]:
    """Build them in their order."""
    found: list[Json] = local_replies()["mappers"]
    return found


def for_status(status: int) -> Json:
    """The filter of a mapper that asks for nothing but the status."""
    value = {"default_value": status, "runtime_key": f"edge.local_reply.eq.{status}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def in_json() -> list[Json]:
    """Those that write JSON."""
    return [each["body_format_override"] for each in mappers() if "json_format" in each["body_format_override"]]


@pytest.mark.parametrize("status", REFUSALS)
def test_a_refusal_has_the_code_of_its_status(status: int) -> None:
    """A client that looks at either comes to the same conclusion."""
    code, _ = REFUSALS[status]

    assert status in HTTP_STATUS[code]


@pytest.mark.parametrize("body", in_json(), ids=lambda body: str(body["json_format"]["code"]))
def test_a_refusal_is_a_status_with_details(body: dict[str, Any]) -> None:
    """As protobuf itself reads it, and in the order of all our errors."""
    status = json_format.ParseDict(body["json_format"], status_pb2.Status(), ignore_unknown_fields=True)
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.RequestInfo()

    assert code_pb2.Code.Name(status.code)
    assert status.message
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(request)
    assert (info.domain, info.reason.isupper()) == (DOMAIN, True)
    assert request.request_id == "%REQ(X-REQUEST-ID)%"
    assert body["content_type"] == "application/problem+json"


@pytest.mark.parametrize("status", REFUSALS)
def test_grpc_has_the_same_codes(status: int) -> None:
    """Envoy's own are coarser: a deadline that has passed would be UNAVAILABLE, which invites to try again."""
    (words,) = [each for each in mappers() if each["filter"] == for_status(status)]
    code = "UNIMPLEMENTED" if status == UNKNOWN_METHOD else REFUSALS[status][0]

    assert said(words)["grpc-status"] == str(code_pb2.Code.Value(code))


@pytest.mark.parametrize("status", REFUSALS)
def test_grpc_is_told_the_reason_in_details_where_the_words_are_known(status: int) -> None:
    """The words have to be the call's own: libraries take other ones for a fault."""
    (words,) = [each for each in mappers() if each["filter"] == for_status(status)]
    text = words["body_format_override"]["text_format_source"]["inline_string"]
    details = said(words).get(DETAILS_KEY)

    assert (details is None) == ("%" in text)
    if details is not None:
        told = status_pb2.Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4)))
        assert (told.message, str(told.code)) == (text, said(words)["grpc-status"])


def said(mapper: Json) -> dict[str, str]:
    """The headers that a mapper adds."""
    return {each["header"]["key"]: each["header"]["value"] for each in mapper["headers_to_add"]}


def test_every_status_is_spoken_for() -> None:
    """The last mapper takes each that has no words of its own."""
    *_, last = mappers()
    comparison = last["filter"]["and_filter"]["filters"][0]["status_code_filter"]["comparison"]

    assert (comparison["op"], comparison["value"]["default_value"]) == ("GE", 400)


def test_a_correction_comes_before_what_it_corrects() -> None:
    """The first mapper that fits decides; each failure has one for JSON and one for gRPC, as revoked tokens have."""
    corrections = [each for each in mappers() if "status_code" in each]

    assert mappers()[: len(corrections)] == corrections
    assert len(corrections) == 2 * (len(CORRECTED) + 1)
