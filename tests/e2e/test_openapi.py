"""The whole API as its description has it: whatever is sent, nobody sees a 5xx, nor a reply that is not described.

Schemathesis makes the requests, good and bad ones; the same in each run.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance
from schemathesis.specs.openapi.checks import status_code_conformance as status_conformance

from mesh.contract import Contract
from tests.e2e.shop import PASSWORD, Client, Shop

EACH = 2
CHECKS = [not_a_server_error, status_conformance, content_type_conformance, response_schema_conformance]
GOOD, BAD = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE


def operations() -> Iterator[str]:
    """Every method but those that answer in a stream, which has no end to wait for."""
    for method in Contract.load().methods:
        if method.access.is_routed and not method.server_streaming:
            yield from (f"{binding.verb} {binding.path}" for binding in method.bindings)


# They end the session of who tries them, so they come last.
ENDING = ("POST /api/v1/account/sessions:revokeAll", "POST /api/v1/auth/logout")
OPERATIONS = sorted(operations(), key=lambda label: label in ENDING)


@pytest.fixture(scope="module")
def api(shop: Shop) -> schemathesis.BaseSchema:
    """The description, from the edge that is tried."""
    return schemathesis.openapi.from_dict(shop.stranger.get("/openapi.json"))


@pytest.fixture(scope="module")
def buyer(shop: Shop) -> Client:
    """One customer for all of this, who is nobody's friend."""
    return shop.customer()


@pytest.fixture(scope="module")
def staff(shop: Shop) -> Iterator[Client]:
    """An admin for all of this, who is not the one that the other tests need."""
    person = shop.customer()
    roles = f"/api/v1/auth/users/{person.user['id']}:setRoles"
    shop.admin.post(roles, {"roles": ["admin"]})
    yield shop.log_in(person.user["email"], PASSWORD)
    shop.admin.post(roles, {"roles": ["customer"]})


@pytest.mark.parametrize("label", OPERATIONS)
def test_a_customer_breaks_nothing(api: schemathesis.BaseSchema, buyer: Client, label: str) -> None:
    """With what is right by the description and with what is not."""
    try_all(api, buyer, label)


@pytest.mark.parametrize("label", OPERATIONS)
def test_staff_break_nothing(api: schemathesis.BaseSchema, staff: Client, label: str) -> None:
    """They get further, so more of each service is tried."""
    try_all(api, staff, label)


def try_all(api: schemathesis.BaseSchema, client: Client, label: str) -> None:
    """Send a few requests of each kind to one operation."""
    operation = api.find_operation_by_label(in_json(label))
    assert operation is not None, label
    headers = {"Authorization": client.http.headers["Authorization"]}
    for mode in (GOOD, BAD):

        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        @hypothesis.settings(
            max_examples=EACH,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        def attempt(case: schemathesis.Case[Any]) -> None:
            reply = case.call(base_url=str(client.http.base_url), headers=headers)
            case.validate_response(reply, checks=CHECKS)

        # What takes neither parameters nor a body can't be asked wrongly.
        with contextlib.suppress(hypothesis.errors.Unsatisfiable):
            attempt()
    assert label in ENDING or client.get("/api/v1/auth/me"), "the session ended: what comes after would not be tried"


def in_json(label: str) -> str:
    """Name the variables of a path as the description does."""
    head, *rest = label.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)
