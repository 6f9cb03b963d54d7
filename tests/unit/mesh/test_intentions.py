"""Reading Consul's intentions: each of its forms, and none that lets in more than was meant."""

from typing import Any

import pytest

from deploy.native.provision.intentions import FOR_ITSELF, FOR_USERS
from mesh import intentions
from mesh.intentions import Permission, Rule, rule_of

CLAIMS = {"Name": "X-Ordermesh-Claims", "Present": True}


def test_what_provisioning_writes_is_read_as_it_was_meant() -> None:
    """One side writes what the other judges by."""
    assert rule_of(FOR_ITSELF) == Rule(allowed=True)
    assert rule_of(FOR_USERS) == Rule(
        permissions=(Permission(allowed=True, prefix="/", with_claims=True), Permission(allowed=True, prefix="/"))
    )
    assert all(
        rule_of(FOR_USERS).allows("/p.S/M", for_user=each) == intentions.FOR_USERS.allows("/p.S/M", for_user=each)
        for each in (False, True)
    )


@pytest.mark.parametrize(
    ("http", "expected"),
    [
        ({"PathExact": "/p.S/M"}, Permission(allowed=True, path="/p.S/M")),
        ({"PathPrefix": "/p.S/"}, Permission(allowed=True, prefix="/p.S/")),
        ({"Header": [CLAIMS]}, Permission(allowed=True, with_claims=True)),
        ({"Header": [CLAIMS | {"Invert": True}]}, Permission(allowed=True, with_claims=False)),
    ],
)
def test_the_conditions_that_services_judge(http: dict[str, Any], expected: Permission) -> None:
    """A path, the start of one, and whether claims are present."""
    assert rule_of({"Permissions": [{"Action": "allow", "HTTP": http}]}) == Rule(permissions=(expected,))


@pytest.mark.parametrize(
    "http",
    [
        {"PathRegex": "/p.S/.*"},
        {"PathPrefix": "/", "Methods": ["POST"]},
        {"Header": [{"Name": "x-other", "Present": True}]},
        {"Header": [CLAIMS | {"Exact": "abc"}]},
        {"Header": [CLAIMS, CLAIMS]},
        {"Header": [{"Name": "x-ordermesh-claims", "Suffix": "c"}]},
    ],
)
def test_a_condition_that_is_not_judged_lets_nobody_in(http: dict[str, Any]) -> None:
    """An allowance is not extended by what we can't read, nor a denial narrowed."""
    for action in ("allow", "deny"):
        rule = rule_of({"Permissions": [{"Action": action, "HTTP": http}, {"Action": "deny", "HTTP": {}}]})
        assert not rule.permissions[0].understood
        assert not rule.allows("/p.S/M")
        assert not rule.allows("/p.S/M", for_user=True)
