"""What each holder of a Consul token may do."""

import pytest

from deploy.native.provision.consul import rules_of
from deploy.native.secrets import AGENT, CONTROL_PLANE, EDGE, OPERATOR


def test_a_service_may_write_its_own_name_and_nothing_else() -> None:
    """Whoever breaks into it can pretend to be no other; it reads its intentions and settings, and changes none."""
    assert rules_of("order") == {
        "service": {"order": {"policy": "write"}},
        "key": {"ordermesh/settings/order": {"policy": "read"}},
    }


def test_the_edge_may_write_its_own_name_and_nothing_else() -> None:
    """Its settings are its configuration; it follows none in Consul."""
    assert rules_of(EDGE) == {"service": {EDGE: {"policy": "write"}}}


def test_the_control_plane_reads_what_it_tells_others_and_writes_itself_only() -> None:
    """It follows the catalogue and the traffic policies; changing them is not its business."""
    rules = rules_of(CONTROL_PLANE)
    assert rules["service"] == {CONTROL_PLANE: {"policy": "write"}}
    others = [
        policy for kind in rules if kind != "service" for what in rules[kind].values() for policy in what.values()
    ]
    assert set(others) == {"read"}
    assert set(rules["key_prefix"]) == {"ordermesh/policy/"}


def test_the_agent_keeps_its_node_and_only_reads_services() -> None:
    """Consul's own minimum for an agent's token."""
    assert rules_of(AGENT) == {"node_prefix": {"": {"policy": "write"}}, "service_prefix": {"": {"policy": "read"}}}


@pytest.mark.parametrize("holder", [AGENT, CONTROL_PLANE, EDGE, OPERATOR, "order"])
def test_nobody_may_manage_access(holder: str) -> None:
    """Tokens and policies are made by the installer alone."""
    assert not {"acl", "operator", "keyring"} & rules_of(holder).keys()


def test_operators_see_who_is_there_and_write_themselves_only() -> None:
    """They are an identity like any other; what others believe they ask of these."""
    read = {"": {"policy": "read"}}
    own = {"service": {OPERATOR: {"policy": "write"}}}
    assert rules_of(OPERATOR) == {**own, "service_prefix": read, "node_prefix": read}
