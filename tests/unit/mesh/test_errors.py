"""The tree of errors stands alone and covers every code that gRPC has for a failure."""

from google.rpc import code_pb2

from mesh import errors

UNUSED = {"OK", "UNKNOWN", "DATA_LOSS"}
"""No error of ours: success, and what nobody of us ever says."""


def test_every_code_has_one_error() -> None:
    """Whatever another service answers, there is a class for it."""
    assert set(errors.BY_CODE) == set(code_pb2.Code.keys()) - UNUSED
    assert all(kind.code == code for code, kind in errors.BY_CODE.items())


def test_an_error_says_what_it_was_told() -> None:
    """The sentence is for people; a program reads the rest."""
    error = errors.NotFound("there is no order 7", reason="ORDER_NOT_FOUND", metadata={"order_id": "7"})
    assert str(error) == error.message == "there is no order 7"
    assert (error.code, error.reason, dict(error.metadata)) == ("NOT_FOUND", "ORDER_NOT_FOUND", {"order_id": "7"})


def test_the_reason_is_the_code_unless_said_otherwise() -> None:
    """Programs can always go by the reason."""
    assert errors.Unavailable("not now").reason == "UNAVAILABLE"
