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
# Status details travel in a header; whatever makes it bigger than servers take would lose the whole answer.
MAX_VIOLATIONS = 20

M = TypeVar("M", bound=Message)

_GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}


def grpc_code(error: errors.Error) -> grpc.StatusCode:
    """Return the gRPC code of an error."""
    return _GRPC_CODES[code_pb2.Code.Value(error.code)]


def details_of(error: errors.Error, request_id: str) -> bytes:
    """Serialize the google.rpc.Status of an error; it always has an ErrorInfo (AIP-193)."""
    parts: list[Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=dict(error.metadata)),
        error_details_pb2.RequestInfo(request_id=request_id),
    ]
    if error.violations:
        parts.append(_bad_request(error))
    if error.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromTimedelta(error.retry_after)
        parts.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=code_pb2.Code.Value(error.code), message=error.message)
    for part in parts:
        status.details.add().Pack(part)
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


def _bad_request(error: errors.Error) -> error_details_pb2.BadRequest:
    return error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(
                field=each.field, description=each.description, reason=each.reason
            )
            for each in error.violations[:MAX_VIOLATIONS]
        ]
    )


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
