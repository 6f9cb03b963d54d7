"""Who shows the wrong certificate: what each is told, and what is kept of it."""

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from mesh.certificates import Files
from mesh.contract import Contract
from mesh.gate import Gate
from mesh.intentions import Intentions, Rule
from mesh.peers import CertifiedPeers
from mesh.spiffe import TrustDomain
from mesh.status import error_from
from ordermesh.inventory.v1 import inventory_service_pb2 as pb
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from tests.integration.gateway.authority import DOMAIN, LIFE, Authority, credentials
from tests.integration.mesh.warehouse import HOST, Warehouse

OTHER = TrustDomain("99999999-2222-3333-4444-555555555555.consul", DOMAIN.datacenter)


@pytest.fixture
def authority() -> Authority:
    """Who signs for the mesh."""
    return Authority()


@pytest_asyncio.fixture
async def address(authority: Authority, tmp_path: Path) -> AsyncIterator[str]:
    """Serve the inventory to the order service."""
    peers = CertifiedPeers(DOMAIN, Intentions({"order": Rule(allowed=True)}))
    server = grpc.aio.server(interceptors=(Gate(Contract.load(), peers, 10, 10),))
    inventory_grpc.add_InventoryServiceServicer_to_server(Warehouse(), server)  # type: ignore[abstract]
    port = server.add_secure_port(f"{HOST}:0", credentials(authority.admit(tmp_path / "inventory", "inventory")))
    await server.start()
    yield f"{HOST}:{port}"
    await server.stop(None)


async def outcome(address: str, shown: Files) -> tuple[str, str]:
    """Ask for stock showing a certificate; gives code and reason."""
    trusted = shown.authorities.read_bytes()
    pair = (shown.key.read_bytes(), shown.certificate.read_bytes())
    async with grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(trusted, *pair)) as channel:
        try:
            await inventory_grpc.InventoryServiceStub(channel).GetStock(pb.GetStockRequest(sku="A"), timeout=5)
        except grpc.aio.AioRpcError as failure:
            return failure.code().name, error_from(failure).reason
    return "OK", ""


async def test_a_member_that_is_let_in_gets_its_answer(address: str, authority: Authority, tmp_path: Path) -> None:
    """So that the refusals below are not for another reason."""
    assert await outcome(address, authority.admit(tmp_path / "order", "order")) == ("OK", "")


async def test_another_trust_domain_proves_nothing(address: str, authority: Authority, tmp_path: Path) -> None:
    """Also when the same authority signed it."""
    shown = authority.admit(tmp_path / "order", "order", domain=OTHER)
    with capture_logs() as log:
        assert await outcome(address, shown) == ("UNAUTHENTICATED", "PEER_UNKNOWN")
    assert [(each["code"], each["reason"]) for each in log if each["event"] == "call served"] == [
        ("UNAUTHENTICATED", "PEER_UNKNOWN")
    ]


async def test_a_service_that_no_intention_names_is_refused(address: str, authority: Authority, tmp_path: Path) -> None:
    """The log says who it was."""
    with capture_logs() as log:
        assert await outcome(address, authority.admit(tmp_path / "payment", "payment")) == (
            "PERMISSION_DENIED",
            "PEER_NOT_ALLOWED",
        )
    assert [each["reason"] for each in log if each["event"] == "call served"] == ["PEER_NOT_ALLOWED"]


@pytest.mark.parametrize("age", [LIFE * 3, LIFE * 1.5])
async def test_an_expired_certificate_ends_the_handshake(
    address: str, authority: Authority, tmp_path: Path, capfd: pytest.CaptureFixture[str], age: dt.timedelta
) -> None:
    """Whoever it was once for; gRPC says why in the log of the process."""
    shown = authority.admit(tmp_path / "order", "order", age=age)
    assert (await outcome(address, shown))[0] == "UNAVAILABLE"
    assert "certificate has expired" in capfd.readouterr().err


async def test_a_certificate_of_another_authority_ends_the_handshake(
    address: str, authority: Authority, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also when it names the right service of the right domain."""
    shown = Authority().admit(tmp_path / "order", "order")
    shown.trust(authority.admit(tmp_path / "trusted", "order").authorities.read_bytes())
    assert (await outcome(address, shown))[0] == "UNAVAILABLE"
    assert "Handshake failed" in capfd.readouterr().err
