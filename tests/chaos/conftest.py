"""A running shop in which each service has a second instance, so that one of them may go away."""

from tests.chaos.instances import second_instances
from tests.e2e.conftest import shop

__all__ = ["second_instances", "shop"]
