"""Path templates of the contracts, and what Envoy is told to match."""

import re

import pytest

from gateway.paths import PathTemplate, query_regex


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/api/v1/orders", "/api/v1/orders"),
        ("/api/v1/orders/{id}", "/api/v1/orders/019c"),
        ("/api/v1/orders/{id}:cancel", "/api/v1/orders/019c:cancel"),
        ("/api/v1/orders/{id}/events", "/api/v1/orders/019c/events"),
        ("/api/v1/inventory/{stock.sku}", "/api/v1/inventory/TEA-100"),
        ("/api/v1/{name=shelves/*/books/*}", "/api/v1/shelves/1/books/2"),
        ("/files/{path=**}", "/files/a/b/c"),
        ("/files/*/text", "/files/a/text"),
    ],
)
def test_a_template_takes_the_paths_that_it_describes(template: str, path: str) -> None:
    """The grammar is that of google/api/http.proto."""
    assert re.fullmatch(PathTemplate(template).regex, path)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/api/v1/orders/{id}", "/api/v1/orders/019c:cancel"),
        ("/api/v1/orders/{id}", "/api/v1/orders/"),
        ("/api/v1/orders/{id}", "/api/v1/orders/019c/events"),
        ("/api/v1/orders/{id}", "/api/v1/orders/019c/"),
        ("/api/v1/orders/{id}:cancel", "/api/v1/orders/019c:refund"),
        ("/api/v1/orders/{id}:cancel", "/api/v1/orders/:cancel"),
        ("/.well-known/jwks.json", "/xwell-known/jwksxjson"),
    ],
)
def test_a_template_leaves_other_paths_alone(template: str, path: str) -> None:
    """An id is one segment without a verb, and text means itself."""
    assert not re.fullmatch(PathTemplate(template).regex, path)


def test_a_template_without_variables_is_compared_as_text() -> None:
    """Which is quicker, and allows no surprise."""
    literal, variable = PathTemplate("/api/v1/orders"), PathTemplate("/api/v1/orders/{id}")

    assert literal.match == {"path": "/api/v1/orders"}
    assert variable.match == {"safe_regex": {"regex": variable.regex}}


def test_what_says_more_is_tried_first() -> None:
    """Text before a variable in the same place: `mine` is no id."""
    texts = ["/orders/{id}", "/orders/{id}/lines/{line}", "/orders/mine", "/orders/{id}/events"]
    ordered = [each.text for each in sorted(map(PathTemplate, texts), key=lambda each: each.precedence)]

    assert ordered[0] == "/orders/mine"
    assert ordered.index("/orders/{id}/lines/{line}") < ordered.index("/orders/{id}")


def test_a_template_knows_its_variables() -> None:
    """In both spellings, since JSON names are taken in either."""
    assert PathTemplate("/orders/{order_id}/lines/{line}").variables == ("order_id", "orderId", "line")
    assert PathTemplate("/files/{path=**}").variables == ("path",)
    assert PathTemplate("/orders").variables == ()


@pytest.mark.parametrize("query", ["id=8", "id", "id=", "a=1&id=8", "id=8&a=1", "%69%64=8", "i%64=8", "orderId=8"])
def test_a_query_that_names_a_variable_is_found(query: str) -> None:
    """However its letters are written."""
    assert re.fullmatch(query_regex(("id", "orderId")), f"/orders/7?{query}")


@pytest.mark.parametrize("query", ["ids=8", "myid=8", "a=id=8", "ID=8", "page=1", "", "a=%69%64"])
def test_other_queries_are_left_alone(query: str) -> None:
    """A value is no name."""
    assert not re.fullmatch(query_regex(("id",)), f"/orders/7?{query}")
    assert not re.fullmatch(query_regex(("id",)), "/orders/id")


@pytest.mark.parametrize("broken", ["/orders/{id", "/orders/{}", "/orders/{id!}"])
def test_what_is_no_template_is_refused(broken: str) -> None:
    """With the place where to read about them."""
    with pytest.raises(ValueError, match=r"google/api/http\.proto"):
        _ = PathTemplate(broken).regex
