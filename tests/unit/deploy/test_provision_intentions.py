"""Who may call whom, and for whom, by the checkout's own topology."""

from pathlib import Path

from deploy.native.members import joined
from deploy.native.provision.intentions import CLAIMS, FOR_ITSELF, FOR_USERS, INTROSPECTION, LOOK, sources_of
from mesh import headers, introspection
from tests.unit.deploy.provision_examples import runtime_in


def test_whoever_is_called_lists_its_callers(tmp_path: Path) -> None:
    """The topology is written from the caller's side, Consul's entries from the other."""
    sources = sources_of(runtime_in(tmp_path).topology, {})
    assert sources["payment"].keys() == {"edge", "operator", "order"}
    assert sources["auth"].keys() == {"edge", "notification", "operator"}
    assert sources["order"].keys() == {"edge", "inventory", "operator"}


def test_only_the_edge_acts_for_users(tmp_path: Path) -> None:
    """Services call each other for themselves; one that hands claims on has to say so in the topology."""
    everybody = sources_of(runtime_in(tmp_path).topology, {})
    assert everybody.pop("control-plane") == {"operator": LOOK}
    for sources in everybody.values():
        assert sources.pop("edge") == FOR_USERS
        assert sources.pop("operator") == LOOK
        assert all(said == FOR_ITSELF for said in sources.values())


def test_every_service_has_an_entry(tmp_path: Path) -> None:
    """None is left open because it was forgotten."""
    topology = runtime_in(tmp_path).topology
    assert sources_of(topology, {}).keys() == {"control-plane", *topology.services}


def test_the_header_in_consul_is_the_one_that_services_read() -> None:
    """A name that differs would leave users without anybody to act for them."""
    assert CLAIMS == headers.CLAIMS


def test_a_member_of_another_team_calls_and_is_called(tmp_path: Path) -> None:
    """For itself, those it asked for; it has an entry of its own. Calling one that has left lets it in nowhere."""
    members = joined({}, "loyalty", ("product", "gone"), (9070, 9170))
    members = joined(members, "shopfront", ("loyalty",), (9070, 9170))
    sources = sources_of(runtime_in(tmp_path).topology, members)
    assert sources["product"]["loyalty"] == FOR_ITSELF
    assert sources["loyalty"].keys() == {"operator", "shopfront"}
    assert sources["shopfront"].keys() == {"operator"}


def test_operators_are_let_to_the_method_that_processes_serve() -> None:
    """Its name is written once more where no contract is read."""
    assert f"/{introspection.SERVICE}/GetProcess" == INTROSPECTION
