"""How errors travel: mesh.errors to google.rpc.Status and back. The one place that knows both."""

from typing import TypeVar, cast

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from mesh import errors

DOMAIN = "ordermesh"
DETAILS_KEY = "grpc-status-details-bin"
# An error travels in headers, and of one with more than 16 KiB the other side sees RESOURCE_EXHAUSTED only. The sum of
# these stays below, also when gRPC writes a text's bytes as %xx or in base64.
MAX_TEXT_BYTES = 1024
MAX_VIOLATIONS = 20
MAX_VIOLATION_BYTES = 200
MAX_DETAILS_BYTES = 6 * 1024

M = TypeVar("M", bound=Message)

_GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}


def grpc_code(error: errors.Error) -> grpc.StatusCode:
    """Return the gRPC code of an error."""
    return _GRPC_CODES[code_pb2.Code.Value(error.code)]


def shortened(text: str, limit: int = MAX_TEXT_BYTES) -> str:
    """Cut a text that is too long for a header."""
    encoded = text.encode()
    return text if len(encoded) <= limit else encoded[: limit - 3].decode(errors="ignore") + "..."


def details_of(error: errors.Error, request_id: str) -> bytes:
    """Serialize the google.rpc.Status of an error; it always has an ErrorInfo (AIP-193)."""
    metadata = {key: shortened(value) for key, value in error.metadata.items()}
    parts: list[Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata),
        error_details_pb2.RequestInfo(request_id=request_id),
    ]
    if error.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromTimedelta(error.retry_after)
        parts.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=code_pb2.Code.Value(error.code), message=shortened(error.message))
    for part in parts:
        status.details.add().Pack(part)
    if error.violations:
        status.details.add().Pack(_bad_request(error, MAX_DETAILS_BYTES - status.ByteSize()))
    return status.SerializeToString()


def error_from(failure: grpc.aio.AioRpcError) -> errors.Error:
    """Turn a failed call's status into the error that the other side raised."""
    kind = errors.BY_CODE.get(failure.code().name, errors.Internal)
    info, bad_request, retry = _read_details(failure)
    return kind(
        failure.details() or failure.code().name,
        reason=info.reason if info else "",
        metadata=dict(info.metadata) if info else None,
        violations=[
            errors.FieldViolation(each.field, each.description, each.reason)
            for each in (bad_request.field_violations if bad_request else ())
        ],
        retry_after=retry.retry_delay.ToTimedelta() if retry else None,
    )


def _bad_request(error: errors.Error, room: int) -> error_details_pb2.BadRequest:
    found = error_details_pb2.BadRequest()
    for each in error.violations[:MAX_VIOLATIONS]:
        found.field_violations.add(
            field=shortened(each.field, MAX_VIOLATION_BYTES),
            description=shortened(each.description, MAX_VIOLATION_BYTES),
            reason=each.reason,
        )
        if found.ByteSize() > room:
            del found.field_violations[-1]
            break
    return found


Details = tuple[
    error_details_pb2.ErrorInfo | None,
    error_details_pb2.BadRequest | None,
    error_details_pb2.RetryInfo | None,
]


def _read_details(failure: grpc.aio.AioRpcError) -> Details:
    try:
        status = rpc_status.from_call(cast("grpc.Call", failure)) or status_pb2.Status()
    except (DecodeError, ValueError):
        # Not of ours, or changed on the way: the code and the message still hold.
        status = status_pb2.Status()
    return (
        _find(status, error_details_pb2.ErrorInfo()),
        _find(status, error_details_pb2.BadRequest()),
        _find(status, error_details_pb2.RetryInfo()),
    )


def _find(status: status_pb2.Status, into: M) -> M | None:
    part: any_pb2.Any
    for part in status.details:
        if part.Unpack(into):
            return into
    return None
