"""Who may call whom, by the checkout's own topology."""

from pathlib import Path

from deploy.native.members import joined
from deploy.native.provision.intentions import INTROSPECTION, callers_of, sources_of
from ordermesh.mesh.v1 import introspection_service_pb2
from tests.unit.deploy.provision_examples import runtime_in

GetProcess = introspection_service_pb2.DESCRIPTOR.services_by_name["IntrospectionService"].methods_by_name["GetProcess"]


def test_whoever_is_called_lists_its_callers(tmp_path: Path) -> None:
    """The topology is written from the caller's side, Consul's entries from the other."""
    callers = callers_of(runtime_in(tmp_path).topology, {})
    assert callers["payment"] == ("edge", "order")
    assert callers["auth"] == ("edge", "notification")
    assert callers["order"] == ("edge",)


def test_every_service_has_an_entry(tmp_path: Path) -> None:
    """None is left open because it was forgotten."""
    topology = runtime_in(tmp_path).topology
    assert callers_of(topology, {}).keys() == {"control-plane", *topology.services}


def test_a_member_of_another_team_calls_and_is_called(tmp_path: Path) -> None:
    """It stands among the callers of those it asked for, and has an entry of its own."""
    members = joined({}, "loyalty", ("product",), (9200, 9300))
    members = joined(members, "shopfront", ("loyalty",), (9200, 9300))
    callers = callers_of(runtime_in(tmp_path).topology, members)
    assert callers["product"] == ("edge", "loyalty", "order")
    assert (callers["loyalty"], callers["shopfront"]) == (("shopfront",), ())


def test_operators_may_call_one_method_of_everybody() -> None:
    """Also of those whom nobody else may call."""
    operator = {"Name": "operator", "Permissions": [{"Action": "allow", "HTTP": {"PathExact": INTROSPECTION}}]}
    assert sources_of(()) == [operator]
    assert sources_of(("edge", "order")) == [
        {"Name": "edge", "Action": "allow"},
        operator,
        {"Name": "order", "Action": "allow"},
    ]


def test_the_method_is_the_one_that_processes_serve() -> None:
    """The name is written once more here, where no contract is read."""
    assert GetProcess.full_name.replace(".GetProcess", "/GetProcess") == INTROSPECTION.removeprefix("/")
