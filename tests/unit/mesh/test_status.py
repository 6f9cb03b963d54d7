"""What one service raises is what the other one catches, and it always fits into a header."""

from datetime import timedelta

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from mesh import errors, status

MILLISECONDS = st.integers(0, 10**7).map(lambda number: timedelta(milliseconds=number))
WORDS = st.text(max_size=60)
ERRORS = st.builds(
    lambda kind, message, reason, metadata, violations, retry_after: kind(
        message, reason=reason, metadata=metadata, violations=violations, retry_after=retry_after
    ),
    st.sampled_from(sorted(errors.BY_CODE.values(), key=lambda kind: kind.code)),
    st.text(min_size=1, max_size=60),
    st.from_regex("[A-Z][A-Z_]{0,20}", fullmatch=True),
    st.dictionaries(WORDS, WORDS, max_size=3),
    st.lists(st.builds(errors.FieldViolation, WORDS, WORDS, WORDS), max_size=3),
    st.none() | MILLISECONDS,
)


def received(error: errors.Error) -> grpc.aio.AioRpcError:
    """Let an error travel: what a client of grpc.aio gets to see of it."""
    trailers = grpc.aio.Metadata((status.DETAILS_KEY, status.details_of(error, "r1")))
    return grpc.aio.AioRpcError(status.grpc_code(error), grpc.aio.Metadata(), trailers, error.message)


def stated(error: errors.Error) -> tuple[object, ...]:
    """Give all that an error says."""
    return type(error), error.message, error.reason, dict(error.metadata), error.violations, error.retry_after


@given(ERRORS)
def test_an_error_arrives_as_it_was_raised(error: errors.Error) -> None:
    """Class, sentence, reason, metadata, fields and patience."""
    assert stated(status.error_from(received(error))) == stated(error)


def test_the_details_name_domain_reason_and_request() -> None:
    """AIP-193 wants an ErrorInfo in every status; RequestInfo is what a user quotes."""
    details = status_pb2.Status.FromString(status.details_of(errors.Aborted("again"), "r1"))
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.RequestInfo()
    assert details.details[0].Unpack(info)
    assert details.details[1].Unpack(request)
    assert (info.domain, info.reason, request.request_id) == ("ordermesh", "ABORTED", "r1")


def failure(code: grpc.StatusCode, details: str = "", *trailers: tuple[str, str | bytes]) -> grpc.aio.AioRpcError:
    """Make a failure that isn't ours: grpc's own, or a proxy's."""
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailers), details)


def test_a_status_without_details_is_known_by_its_code() -> None:
    """A connection that can't be made has no ErrorInfo."""
    error = status.error_from(failure(grpc.StatusCode.UNAVAILABLE, "connection refused"))
    assert stated(error)[:3] == (errors.Unavailable, "connection refused", "UNAVAILABLE")


@pytest.mark.parametrize("code", [grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS])
def test_codes_that_nobody_of_us_uses_are_defects(code: grpc.StatusCode) -> None:
    """Something failed over there in a way that nobody foresaw."""
    assert isinstance(status.error_from(failure(code)), errors.Internal)


def test_broken_details_do_not_hide_the_status() -> None:
    """The code and the sentence count without them."""
    error = status.error_from(failure(grpc.StatusCode.NOT_FOUND, "gone", (status.DETAILS_KEY, b"\xff\xff")))
    assert stated(error)[:3] == (errors.NotFound, "gone", "NOT_FOUND")


def test_the_first_twenty_violations_are_enough() -> None:
    """Whoever has more wrong is told of the rest the next time."""
    violations = [errors.FieldViolation(f"lines[{at}]", "wrong") for at in range(50)]
    arrived = status.error_from(received(errors.InvalidArgument("wrong", violations=violations)))
    assert list(arrived.violations) == violations[:20]


LONG = st.characters(codec="utf-8").map(lambda character: character * 5000)


@given(LONG, LONG, st.integers(1, 30))
def test_an_error_of_any_length_fits_into_a_header(message: str, more: str, count: int) -> None:
    """As gRPC writes it: the sentence by its bytes as %xx, the details in base64."""
    violations = [errors.FieldViolation(more, more, "REASON")] * count
    error = errors.InvalidArgument(message, metadata={"a": more, "b": more}, violations=violations)
    percent_encoded = 3 * len(status.shortened(message).encode())
    assert percent_encoded + len(status.details_of(error, "r" * 128)) * 4 / 3 < 14 * 1024
