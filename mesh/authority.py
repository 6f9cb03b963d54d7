"""Consul's certificate authority over gRPC: what to trust, and signatures under keys that never leave their process.

Consul's HTTP endpoint for certificates is not used: it hands out private keys, and from its cache to anybody.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import grpc

from mesh.settings import MeshSettings
from pbconnectca import ca_pb2, ca_pb2_grpc

PATIENCE_SECONDS = 5.0
TOKEN_KEY = "x-consul-token"  # noqa: S105 - the name of a header


@dataclass(frozen=True, slots=True)
class Roots:
    """What to trust now. `bundle` has every valid root, `chain` goes behind a leaf, `signer` signs leaves; all PEM."""

    trust_domain: str
    active: str
    bundle: bytes
    chain: bytes
    signer: bytes


class Authority:
    """A connection to the agent; calls raise grpc.aio.AioRpcError."""

    def __init__(self, settings: MeshSettings) -> None:
        """Nothing is sent yet. Raises FileNotFoundError for a `consul_ca` that isn't there."""
        trusted = settings.consul_ca.read_bytes()
        self._channel = grpc.aio.secure_channel(settings.consul_grpc, grpc.ssl_channel_credentials(trusted))
        self._stub = ca_pb2_grpc.ConnectCAServiceStub(self._channel)
        self._metadata = ((TOKEN_KEY, settings.consul_token.get_secret_value()),)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close()

    async def watch(self) -> AsyncIterator[Roots]:
        """Yield the roots, and again whenever they change."""
        async for answer in self._stub.WatchRoots(ca_pb2.WatchRootsRequest(), metadata=self._metadata):
            yield _roots(answer)

    async def sign(self, request: bytes) -> bytes:
        """Have a PEM-encoded certificate request signed; returns the PEM-encoded leaf."""
        answer = await self._stub.Sign(
            ca_pb2.SignRequest(csr=request.decode()), metadata=self._metadata, timeout=PATIENCE_SECONDS
        )
        return _ends_with_newline(answer.cert_pem)


def _roots(answer: ca_pb2.WatchRootsResponse) -> Roots:
    active = next(root for root in answer.roots if root.id == answer.active_root_id)
    return Roots(
        trust_domain=answer.trust_domain,
        active=active.id,
        bundle=b"".join(_ends_with_newline(root.root_cert) for root in answer.roots),
        chain=b"".join(map(_ends_with_newline, active.intermediate_certs)),
        signer=_ends_with_newline([*active.intermediate_certs, active.root_cert][0]),
    )


def _ends_with_newline(pem: str) -> bytes:
    return pem.strip().encode() + b"\n"
