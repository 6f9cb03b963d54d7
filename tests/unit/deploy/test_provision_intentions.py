"""Who may call whom, and for whom, by the checkout's own topology."""

from pathlib import Path

from deploy.native.provision.intentions import CLAIMS, FOR_ITSELF, FOR_USERS, sources_of
from mesh import headers
from tests.unit.deploy.provision_examples import runtime_in


def test_whoever_is_called_lists_its_callers(tmp_path: Path) -> None:
    """The topology is written from the caller's side, Consul's entries from the other."""
    sources = sources_of(runtime_in(tmp_path).topology)
    assert sources["payment"].keys() == {"edge", "order"}
    assert sources["auth"].keys() == {"edge", "notification"}
    assert sources["order"].keys() == {"edge", "inventory"}


def test_only_the_edge_acts_for_users(tmp_path: Path) -> None:
    """Services call each other for themselves; one that hands claims on has to say so in the topology."""
    for sources in sources_of(runtime_in(tmp_path).topology).values():
        assert sources.pop("edge") == FOR_USERS
        assert all(said == FOR_ITSELF for said in sources.values())


def test_every_service_has_an_entry(tmp_path: Path) -> None:
    """None is left open because it was forgotten."""
    topology = runtime_in(tmp_path).topology
    assert sources_of(topology).keys() == topology.services.keys()


def test_the_header_in_consul_is_the_one_that_services_read() -> None:
    """A name that differs would leave users without anybody to act for them."""
    assert CLAIMS == headers.CLAIMS
