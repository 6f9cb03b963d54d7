"""Refusals of the edge, as errors that say who said what."""

import httpx
import pytest

from deploy.native.provision.api import Api, ApiError, NotReady


def answering(reply: httpx.Response | Exception) -> Api:
    """An edge that always says the same."""

    def handle(_: httpx.Request) -> httpx.Response:
        if isinstance(reply, Exception):
            raise reply
        return reply

    return Api("http://edge", transport=httpx.MockTransport(handle))


def test_a_refusal_names_request_code_and_reason() -> None:
    """Everything that somebody needs who has no debugger at hand."""
    api = answering(httpx.Response(404, json={"code": 5, "message": "no such product"}))
    with pytest.raises(ApiError, match=r"^GET /api/v1/products/1: 404 NOT_FOUND no such product$") as caught:
        api.get("/api/v1/products/1")
    assert caught.value.code == "NOT_FOUND"
    assert not isinstance(caught.value, NotReady)


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(503, json={"code": 14, "message": "no healthy upstream"}),
        httpx.Response(503, text="upstream connect error"),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
    ],
)
def test_whoever_cannot_answer_yet_is_worth_waiting_for(reply: httpx.Response | Exception) -> None:
    """A service that starts, an edge that is not there."""
    with pytest.raises(NotReady):
        answering(reply).get("/")


def test_an_answer_that_is_no_status_is_shown_as_it_is() -> None:
    """Something else may listen on the port."""
    with pytest.raises(ApiError, match=r"500 UNKNOWN <html>"):
        answering(httpx.Response(500, text="<html>")).get("/")


def test_after_login_requests_carry_the_token_and_the_key() -> None:
    """Both are what makes a repeated order one order of one customer."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"accessToken": "abc"})

    api = Api("http://edge", transport=httpx.MockTransport(handle))
    api.login("a@example.test", "secret")
    api.post("/api/v1/orders", {}, key="once")
    assert (seen[1].headers["Authorization"], seen[1].headers["Idempotency-Key"]) == ("Bearer abc", "once")
