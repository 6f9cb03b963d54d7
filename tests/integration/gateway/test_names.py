"""Names in JSON bodies at the edge: each is one that the contract has, and comes once."""

import json
from typing import Any

import httpx
import pytest

from tests.integration.gateway.installation import Edge
from tests.integration.gateway.test_rest import reason
from tests.integration.gateway.tokens import bearer, token

pytestmark = pytest.mark.asyncio(loop_scope="package")

INVALID = (400, 3, "INVALID_REQUEST")
MALFORMED = (400, 3, "MALFORMED_REQUEST")
DEEPEST = 100


async def post(http: httpx.AsyncClient, content: str | bytes, path: str = "/api/v1/orders") -> httpx.Response:
    """Send a body as it is, with every permission that these tests need."""
    headers = bearer(token("orders.create", "orders.cancel", "products.write", "warehouses.write"))
    return await http.post(path, content=content, headers=headers | {"content-type": "application/json"})


def fault(reply: httpx.Response) -> tuple[str, str]:
    """The one field at fault, and why."""
    assert reason(reply) == INVALID, reply.text
    (found,) = reply.json()["errors"]
    assert reply.json()["detail"] == f"{found['field']}: {found['description']}"
    return found["field"], found["reason"]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ('{"nonsense": 1}', "nonsense"),
        ('{"lines": [], "": 1}', ""),
        ('{"lines": [{"sku": "A"}, {"sku": "B", "quantty": 2}]}', "lines[1].quantty"),
        ('{"lines": {"nonsense": 2}}', "lines.nonsense"),
        ('{"shippingAddress": {"regionCode": "DE", "city": "Berlin"}}', "shippingAddress.city"),
        ('{"Lines": []}', "Lines"),
        ('{"shipping-address": {}}', "shipping-address"),
        ('{"li\\u006eez": []}', "linez"),
        ('{"li\\"\\\\\\u00e9": []}', 'li"\\??'),
        ('{"@type": "x"}', "@type"),
        ('[{"nonsense": 1}]', "[0].nonsense"),
        (' \r\n\t{ "lines" : [ ] ,\n"nonsense" : { "deep" : [ 1 , 2 ] } } ', "nonsense"),
    ],
)
async def test_a_name_that_no_contract_has_is_refused(
    edge: Edge, http: httpx.AsyncClient, content: str, field: str
) -> None:
    """Wherever it is, and however it is written; the service is not asked."""
    before = edge.backend.calls

    assert fault(await post(http, content)) == (field, "FIELD_UNKNOWN")
    assert edge.backend.calls == before


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ('{"requestId": "a", "requestId": "b"}', "requestId"),
        ('{"requestId": "a", "requestId": "a"}', "requestId"),
        ('{"requestId": "a", "request_id": "b"}', "request_id"),
        ('{"requestId": "a", "r\\u0065questId": "b"}', "requestId"),
        ('{"lines": [], "requestId": "a", "lines": []}', "lines"),
        ('{"lines": [{"sku": "A", "sku": "B"}]}', "lines[0].sku"),
        ('{"shippingAddress": {"regionCode": "DE", "regionCode": "FR"}}', "shippingAddress.regionCode"),
    ],
)
async def test_a_name_that_comes_twice_is_refused(
    edge: Edge, http: httpx.AsyncClient, content: str, field: str
) -> None:
    """Some would take the first and some the last; both spellings of a field are one name."""
    before = edge.backend.calls

    assert fault(await post(http, content)) == (field, "FIELD_DOUBLED")
    assert edge.backend.calls == before


async def test_a_body_cannot_name_another_than_the_path_by_a_name_that_comes_twice(http: httpx.AsyncClient) -> None:
    """The edge's log would have the one, and the service the other."""
    reply = await post(http, '{"id": "7", "id": "8"}', "/api/v1/orders/7:cancel")

    assert fault(reply) == ("id", "FIELD_DOUBLED")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('{"any": "1", "name": "2"}', None),
        ('{"n": "1", "\\n": "2", "\\\\u006e": "3"}', None),
        ('{"any": "1", "\\u0061ny": "2"}', ("variants[0].attributes.any", "FIELD_DOUBLED")),
        ('{"\\u00e9": "1", "é": "2"}', ("variants[0].attributes.??", "FIELD_DOUBLED")),
    ],
)
async def test_keys_of_a_map_are_free_and_come_once(
    http: httpx.AsyncClient, attributes: str, expected: tuple[str, str] | None
) -> None:
    """They are the client's own."""
    reply = await post(http, f'{{"variants": [{{"attributes": {attributes}}}]}}', "/api/v1/products")

    assert fault(reply) == expected if expected else reply.status_code == 501, reply.text


@pytest.mark.parametrize(
    ("name", "meant"),
    [("quantty", "quantity"), ("QUANTITY", "quantity"), ("skus", "sku"), ("nothing", None), ("x" * 10_000, None)],
)
async def test_a_name_that_is_nearly_right_is_told_the_right_one(
    http: httpx.AsyncClient, name: str, meant: str | None
) -> None:
    """Most of them are slips."""
    reply = await post(http, json.dumps({"lines": [{name: 1}]}))
    (found,) = reply.json()["errors"]

    hint = f"; did you mean {meant}?" if meant else ""
    assert found["description"] == f"there is no such field{hint}"
    assert len(found["field"]) < 100


GOOD: tuple[dict[str, Any], ...] = (
    {},
    {"lines": None},
    {"lines": [], "paymentToken": 'a "quoted" \\ one, {"nonsense": [', "currencyCode": "EUR"},
    {"lines": [{"sku": "A", "quantity": 1}, {"sku": "ä\u2028🎈", "quantity": "1"}], "requestId": "x"},
    {"lines": [{"sku": "A"}], "shipping_address": {"region_code": "DE", "address_lines": ["1", "2"]}},
)


@pytest.mark.parametrize("body", GOOD)
@pytest.mark.parametrize("escaped", [True, False])
async def test_a_good_body_reaches_the_service(
    edge: Edge, http: httpx.AsyncClient, body: dict[str, Any], *, escaped: bool
) -> None:
    """In both spellings of protobuf's JSON, and of JSON's own escapes."""
    before = edge.backend.calls
    reply = await post(http, json.dumps(body, ensure_ascii=escaped))

    assert reply.status_code == 200, reply.text
    assert edge.backend.calls == before + 1
    assert [line["sku"] for line in reply.json()["lines"]] == [line["sku"] for line in body.get("lines") or ()]


async def test_no_body_is_an_empty_one(http: httpx.AsyncClient) -> None:
    """For methods that need nothing but their path."""
    assert (await post(http, "", "/api/v1/orders/7:cancel")).json()["id"] == "7"


@pytest.mark.parametrize(
    "content",
    [
        "{lines: []}", "{'lines': []}", '{"lines": [],}', '{"lines": [] "requestId": "a"}', '{"lines" []}',
        '{"lines": []} {"lines": []}', '{"lines": [}', '{"requestId": "a', '{"requestId": \'a\'}', '{"lines": [],, }',
        '{"lines": /* none */ []}', "\ufeff{}", '{"requestId": "\\', "}", '"', " ", '{"requestId": }', '{"\\u00',
    ],
)  # fmt: skip
async def test_what_is_no_json_is_refused(edge: Edge, http: httpx.AsyncClient, content: str) -> None:
    """Also what the transcoder alone would take: names without quotes, quotes of another kind, a comma too many."""
    before = edge.backend.calls

    assert reason(await post(http, content.encode())) == MALFORMED
    assert edge.backend.calls == before


async def test_json_may_be_so_deep_and_no_deeper(http: httpx.AsyncClient) -> None:
    """No message of ours is nearly as deep."""
    fine = await post(http, '{"requestId": ' + "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1) + "}")
    deeper = await post(http, '{"requestId": ' + "[" * DEEPEST + "]" * DEEPEST + "}")

    assert "nested deeper" not in fine.text
    assert deeper.json()["detail"].endswith(f"the body is nested deeper than {DEEPEST} levels")


async def test_a_body_of_any_width_is_read(http: httpx.AsyncClient) -> None:
    """As large as bodies may be, whatever it is full of."""
    for unit in ('{"sku":"A"},', "{},", "0,", '"\\"",', " "):
        filling = unit * (90_000 // len(unit))
        reply = await post(http, '{"lines":[' + filling + '{"nonsense":1}]}')
        assert reply.json()["errors"][0]["field"].endswith(".nonsense"), unit


async def test_a_page_may_read_why_it_was_refused(http: httpx.AsyncClient) -> None:
    """With the headers that every reply has."""
    headers = bearer(token("orders.create")) | {"origin": "http://localhost:3000", "x-request-id": "mine"}
    reply = await http.post("/api/v1/orders", json={"nonsense": 1}, headers=headers)

    assert fault(reply)[0] == "nonsense"
    assert reply.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert reply.headers["x-request-id"] == "mine"
    assert reply.json()["details"][1]["requestId"] == "mine"
    assert reply.headers["cache-control"] == "no-store"
