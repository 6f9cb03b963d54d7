"""Doing without an answer."""

import prometheus_client
import pytest
from structlog.testing import capture_logs

from mesh import errors
from mesh.fallback import AWAY, fallback


async def answer(failure: errors.Error | None) -> str:
    """Answer, or fail."""
    if failure:
        raise failure
    return "answer"


def counted(code: str) -> float:
    """Count what was done without for this reason."""
    labels = {"what": "figures", "code": code}
    return prometheus_client.REGISTRY.get_sample_value("rpc_client_fallbacks_total", labels) or 0.0


async def test_an_answer_is_given_as_it_is() -> None:
    """Nothing is logged."""
    with capture_logs() as lines:
        assert await fallback(answer(None), None, what="figures") == "answer"
    assert lines == []


@pytest.mark.parametrize("kind", AWAY)
async def test_when_nobody_can_answer_it_is_done_without(kind: type[errors.Error]) -> None:
    """And that shows, in the log and in the metrics."""
    before = counted(kind.code)
    with capture_logs() as lines:
        assert await fallback(answer(kind("not now")), "otherwise", what="figures") == "otherwise"
    assert counted(kind.code) == before + 1
    assert [(line["event"], line["what"], line["code"]) for line in lines] == [("done without", "figures", kind.code)]


@pytest.mark.parametrize("kind", [errors.NotFound, errors.Internal, errors.PermissionDenied])
async def test_an_answer_that_is_an_error_stays_one(kind: type[errors.Error]) -> None:
    """Nothing is hidden that isn't an outage."""
    with pytest.raises(kind):
        await fallback(answer(kind("no")), "otherwise", what="figures")


async def test_the_errors_to_do_without_can_be_named() -> None:
    """Where NOT_FOUND is as good as nothing."""
    assert await fallback(answer(errors.NotFound("no")), None, what="figures", on=(errors.NotFound,)) is None
