"""Callers that are believed at their word: for tests of what comes after the handshake."""

from typing import Any

import grpc

from mesh import errors
from mesh.client import OPTIONS, Dial, Interceptors

PEER = "x-test-peer"
EDGE = {PEER: "edge"}
ORDER_SERVICE = {PEER: "order"}


class SaidPeers:
    """Takes the name of the caller from a header."""

    def caller_of(self, servicer_context: Any, _method: str) -> str:  # noqa: ANN401 - grpc.aio's own
        """Give the name. Raises Unauthenticated when nothing is said."""
        said = dict(servicer_context.invocation_metadata() or ()).get(PEER, "")
        if not said:
            raise errors.Unauthenticated("who is calling?", reason="PEER_UNKNOWN")
        return str(said)


class _Said(grpc.aio.UnaryUnaryClientInterceptor):
    """Says who calls."""

    def __init__(self, peer: str) -> None:
        """`peer` is said with every call."""
        self._peer = peer

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:  # noqa: ANN401
        """Add the header."""
        metadata = grpc.aio.Metadata(*(details.metadata or ()), (PEER, self._peer))
        return await continuation(details._replace(metadata=metadata), request)


def dial_as(peer: str, addresses: dict[str, str] | str) -> Dial:
    """Find every domain, or each its own, at an address without TLS, and call as `peer`."""

    def dial(domain: str, interceptors: Interceptors) -> grpc.aio.Channel:
        address = addresses if isinstance(addresses, str) else addresses[domain]
        return grpc.aio.insecure_channel(address, options=OPTIONS, interceptors=(_Said(peer), *interceptors))

    return dial
