"""What the integration tests share: the real components that they run, as `make up` would."""

import os
from pathlib import Path

import pytest

from deploy.native import components
from deploy.native.runtime import Runtime

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def programs() -> components.Components:
    """Find the installed components; what is missing is said by whoever is asked for first."""
    versions = Runtime.load(CHECKOUT, os.environ).versions
    return components.locate(cache=components.cache_directory(), versions=versions)


@pytest.fixture(scope="session")
def consul_binary(programs: components.Components) -> Path:
    """Find Consul: the program named by ORDERMESH_CONSUL, or else the one installed."""
    chosen = os.environ.get("ORDERMESH_CONSUL")
    return Path(chosen) if chosen else programs.consul


@pytest.fixture(scope="session")
def envoy_binary(programs: components.Components) -> Path:
    """Find the installed Envoy."""
    return programs.envoy
