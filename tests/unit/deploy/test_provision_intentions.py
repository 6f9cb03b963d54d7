"""Who may call whom, by the checkout's own topology."""

from pathlib import Path

from deploy.native.provision.intentions import callers_of
from tests.unit.deploy.provision_examples import runtime_in


def test_whoever_is_called_lists_its_callers(tmp_path: Path) -> None:
    """The topology is written from the caller's side, Consul's entries from the other."""
    callers = callers_of(runtime_in(tmp_path).topology)
    assert callers["payment"] == ("edge", "order")
    assert callers["auth"] == ("edge", "notification")
    assert callers["order"] == ("edge", "inventory")


def test_every_service_has_an_entry(tmp_path: Path) -> None:
    """None is left open because it was forgotten."""
    topology = runtime_in(tmp_path).topology
    assert callers_of(topology).keys() == topology.services.keys()
