"""What a stack is called, which ports it takes and where it writes."""

from pathlib import Path

import pytest

from deploy.native.errors import ConfigurationError
from deploy.native.runtime import Runtime

CHECKOUT = Path(__file__).resolve().parents[3]


def load(**environ: str) -> Runtime:
    """Load the stack of this checkout under an environment."""
    return Runtime.load(CHECKOUT, environ)


def test_every_service_of_the_topology_has_its_ports() -> None:
    """A service that is added to one file and forgotten in the other would start nowhere."""
    runtime = load()
    for name in (*runtime.topology.services, "control-plane"):
        assert runtime.port(name, "grpc") != runtime.port(name, "metrics")


def test_no_two_programs_share_a_port() -> None:
    """Also under the offsets, which move all of them alike."""
    numbers = [port for group in load().ports.numbers.values() for port in group.values()]
    assert len(numbers) == len(set(numbers))


def test_an_offset_moves_every_port_and_the_folder() -> None:
    """The stack of the tests runs beside a developer's and never touches its data."""
    usual, moved = load(), load(ORDERMESH_PORT_OFFSET="10000")
    assert moved.port("edge", "http") == usual.port("edge", "http") + 10000
    assert usual.data("kafka") == CHECKOUT / ".run" / "data" / "kafka"
    assert moved.data("kafka") == CHECKOUT / ".run" / "test" / "data" / "kafka"


@pytest.mark.parametrize("offset", ["ten", "-1", "1.5", "60000"])
def test_an_offset_that_makes_no_ports_is_refused(offset: str) -> None:
    """The message names the variable and what may be set."""
    with pytest.raises(ConfigurationError, match=r"ORDERMESH_PORT_OFFSET is .*; set a whole number from 0 to \d+"):
        load(ORDERMESH_PORT_OFFSET=offset)


def test_the_folder_can_be_chosen() -> None:
    """A relative one belongs to the checkout, wherever the command is given."""
    assert load(ORDERMESH_RUN=".run/bench", ORDERMESH_PORT_OFFSET="1").root == CHECKOUT / ".run" / "bench"
    assert load(ORDERMESH_RUN="/srv/ordermesh").root == Path("/srv/ordermesh")


def test_files_of_a_process_are_found_by_its_name() -> None:
    """Provisioning writes them and the process is told where they are."""
    runtime = load(ORDERMESH_RUN="/srv")
    assert runtime.env_file("order") == Path("/srv/env/order.env")
    assert runtime.identity("order-1") == Path("/srv/identity/order-1")
    assert runtime.config("consul") == Path("/srv/config/consul")
    assert runtime.log("edge") == Path("/srv/log/edge.log")


def test_calls_name_services_that_are_there() -> None:
    """A name that is misspelt would be a call that is refused for no reason one can see."""
    topology = load().topology
    for caller in topology.services.values():
        assert {*caller.calls, *caller.calls_for_users} < topology.services.keys()
    assert set(topology.edge_calls_for_users) == topology.services.keys()


def test_the_topology_is_read_with_its_units() -> None:
    """Names are data: orders live in the database `orders`, and their events on `order-events`."""
    order = load().topology.services["order"]
    assert (order.database, order.events_topic, order.poll_ms) == ("orders", "order-events", 50)
