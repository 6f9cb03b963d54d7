"""Who the edge is to services, and whom it takes for a service."""

import asyncio

import httpx
import pytest
from cryptography import x509

from tests.integration.gateway.authority import DOMAIN
from tests.integration.gateway.installation import Edge
from tests.integration.gateway.tokens import bearer, token

pytestmark = pytest.mark.asyncio(loop_scope="package")


def shown(edge: Edge) -> x509.Certificate:
    """The certificate that came with the last call."""
    return x509.load_pem_x509_certificate(edge.backend.certificate)


async def test_services_know_the_edge_by_its_certificate(edge: Edge, http: httpx.AsyncClient) -> None:
    """It says so in the handshake and nowhere else."""
    await http.get("/api/v1/inventory/A")

    names = shown(edge).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [DOMAIN.id_of("edge")]


async def test_whoever_is_another_service_gets_nothing(edge: Edge, http: httpx.AsyncClient) -> None:
    """What answers at the address of notification belongs to the mesh, but is not notification."""
    calls = edge.backend.calls

    headers = bearer(token("notifications.read"))
    assert (await http.get("/api/v1/notifications", headers=headers)).status_code == 503
    assert edge.backend.calls == calls


async def test_a_renewed_certificate_is_shown_without_a_new_start(edge: Edge, http: httpx.AsyncClient) -> None:
    """The next connection is made with it."""
    await http.get("/api/v1/inventory/A")
    before = shown(edge).serial_number
    edge.mesh.admit(edge.options.files.identity, "edge")
    async with asyncio.timeout(10):
        while shown(edge).serial_number == before:
            await edge.backend.stop()
            await edge.backend.start()
            await http.get("/api/v1/inventory/A")
