"""Members of the tests' mesh: what each shows in a handshake, signed by the Consul of the tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from mesh.identity import Identity, joined
from tests.integration.mesh.control_plane.consul import Consul
from tests.integration.mesh.control_plane.replica import ControlPlane


@asynccontextmanager
async def member(consul: Consul, service: str, folder: Path) -> AsyncIterator[Identity]:
    """Be an instance of a service, with what it was issued once: that holds whatever becomes of Consul."""
    async with joined(consul.settings(service, folder)) as identity:
        pass
    yield identity


@asynccontextmanager
async def talking_to(replica: ControlPlane) -> AsyncIterator[grpc.aio.Channel]:
    """Open a channel to a control plane, as a member of its mesh."""
    async with (
        member(replica.consul, "caller", replica.consul.folder) as identity,
        grpc.aio.secure_channel(replica.address, client_credentials(identity)) as channel,
    ):
        yield channel


def client_credentials(identity: Identity) -> grpc.ChannelCredentials:
    """Show the member's certificate to whoever has one of the same mesh; every certificate names its address."""
    files = identity.files
    return grpc.ssl_channel_credentials(
        files.authorities.read_bytes(), files.key.read_bytes(), files.certificate.read_bytes()
    )
