"""Which of Consul's answers are believed."""

import pytest

from mesh.control_plane.world import Health, Instance, Observation, World, believe
from tests.unit.mesh.control_plane.examples import instance


def seen(session: int = 1, **services: tuple[Instance, ...]) -> Observation:
    """Make an observation of all services named."""
    return Observation(session, services)


def test_the_first_observation_is_believed_even_when_it_is_empty() -> None:
    """Before any service has started, the world is known and empty, so that calls fail at once."""
    assert believe(None, seen(order=())) == World(1, {"order": ()})


def test_an_instance_that_leaves_is_gone() -> None:
    """Leaving while Consul watches is news."""
    before = World(1, {"order": (instance(1), instance(2))})

    assert believe(before, seen(order=(instance(1),))).services == {"order": (instance(1),)}


def test_the_last_instance_of_a_service_may_leave() -> None:
    """A service that is stopped is stopped, as long as the others are still there."""
    before = World(1, {"order": (instance(1),), "product": (instance(2),)})

    after = believe(before, seen(order=(), product=(instance(2),)))

    assert after == World(1, {"order": (), "product": (instance(2),)})


def test_an_emptied_world_never_replaces_a_good_one() -> None:
    """When every service seems to be gone, it is Consul that is mistaken."""
    before = World(1, {"order": (instance(1),), "product": ()})

    after = believe(before, seen(order=(), product=()))

    assert after == World(1, {"order": (instance(1),), "product": ()}, held=frozenset({"order"}))


def test_a_service_that_vanished_while_consul_was_away_is_kept() -> None:
    """Consul that lost its data hears of services one by one; those not yet back keep their endpoints."""
    before = World(1, {"order": (instance(1),), "product": (instance(2),)})

    after = believe(before, seen(2, order=(instance(1),), product=()))

    assert after == World(2, {"order": (instance(1),), "product": (instance(2),)}, held=frozenset({"product"}))


def test_a_kept_service_stays_until_consul_lists_it_again() -> None:
    """Later answers of the same session do not end the doubt; an instance of the service does."""
    held = World(2, {"order": (instance(1),), "product": (instance(2),)}, held=frozenset({"product"}))

    still = believe(held, seen(2, order=(instance(1), instance(3)), product=()))
    back = believe(still, seen(2, order=(instance(1),), product=(instance(4),)))

    assert still.services["product"] == (instance(2),)
    assert back == World(2, {"order": (instance(1),), "product": (instance(4),)})


@pytest.mark.parametrize("earlier", [Health.HEALTHY, Health.UNHEALTHY, Health.DRAINING])
def test_an_unchecked_instance_keeps_its_earlier_verdict(earlier: Health) -> None:
    """A restarted Consul calls everything critical until its checks have run; that is not news."""
    before = World(1, {"order": (instance(1, earlier),)})

    after = believe(before, seen(2, order=(instance(1, Health.UNCHECKED),)))

    assert after.services["order"] == (instance(1, earlier),)


def test_a_new_instance_gets_no_traffic_before_its_check_has_passed() -> None:
    """Nothing is known in favour of an instance that no check has seen yet."""
    before = World(1, {"order": (instance(1),)})

    after = believe(before, seen(order=(instance(1), instance(2, Health.UNCHECKED))))

    assert after.services["order"] == (instance(1), instance(2, Health.UNHEALTHY))


def test_the_same_instance_on_another_port_is_a_new_one() -> None:
    """A verdict is about a process that listens somewhere, not about an id."""
    before = World(1, {"order": (instance(1, name="order-1"),)})

    after = believe(before, seen(order=(instance(2, Health.UNCHECKED, name="order-1"),)))

    assert after.services["order"] == (instance(2, Health.UNHEALTHY, name="order-1"),)
