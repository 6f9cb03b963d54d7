"""The shop that is soaked."""

from tests.e2e.conftest import shop

__all__ = ["shop"]
