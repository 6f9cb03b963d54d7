"""What an edge is made from in these tests: the real contracts and figures, and an installation that isn't there."""

from pathlib import Path

import pytest

from gateway import EdgeSettings, Files, Messages, Options, Ports
from mesh.contract import DESCRIPTORS, Contract


@pytest.fixture(scope="session")
def contract() -> Contract:
    """Load what `make proto` built."""
    return Contract.load()


@pytest.fixture(scope="session")
def options(contract: Contract) -> Options:
    """Describe an edge whose files need not exist: rendering reads none."""
    folder = Path("/nowhere")
    return Options(
        contract=contract,
        messages=Messages(DESCRIPTORS),
        settings=EdgeSettings.load(),
        issuer="https://auth.test",
        audience="ordermesh-test",
        ports=Ports(http=8080, https=8443, admin=9901, keys=9902),
        files=Files(
            certificate=folder / "edge.pem",
            private_key=folder / "edge.key",
            identity=folder / "identity",
            descriptors=folder / "descriptors.binpb",
            folder=folder,
            cache=folder / "cache",
            kept=folder / "kept",
        ),
        control_plane=(9000, 9001),
        region="dc1",
        zone="zone-a",
    )
