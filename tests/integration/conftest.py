"""What the integration tests share: the real components that they run."""

import os
from pathlib import Path

import pytest

CONSUL = "ORDERMESH_CONSUL"
CACHED_CONSUL = Path("/var/cache/ordermesh/consul-1.22.7/consul")


@pytest.fixture(scope="session")
def consul_binary() -> Path:
    """Find the Consul to run: the one named by ORDERMESH_CONSUL, or else the one in the cache."""
    binary = Path(os.environ.get(CONSUL) or CACHED_CONSUL)
    if not binary.is_file():
        pytest.fail(f"{binary} is not there: `make up` builds Consul, or set {CONSUL} to a binary")
    return binary
