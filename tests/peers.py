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

    def caller_of(self, servicer_context: Any, _method: str, *, for_user: bool) -> str:  # noqa: ANN401, ARG002
        """Give the name. Raises Unauthenticated when nothing is said."""
        said = dict(servicer_context.invocation_metadata() or ()).get(PEER, "")
        if not said:
            raise errors.Unauthenticated("who is calling?", reason="PEER_UNKNOWN")
        return str(said)


def _saying(peer: str) -> Interceptors:
    """Say with every call who makes it."""

    async def said(continuation: Any, details: Any, request: Any) -> Any:  # noqa: ANN401 - grpc's own
        metadata = grpc.aio.Metadata(*(details.metadata or ()), (PEER, peer))
        return await continuation(details._replace(metadata=metadata), request)

    class Unary(grpc.aio.UnaryUnaryClientInterceptor):
        async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:  # noqa: ANN401
            return await said(continuation, details, request)

    class Stream(grpc.aio.UnaryStreamClientInterceptor):
        async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:  # noqa: ANN401
            return await said(continuation, details, request)

    return (Unary(), Stream())


def dial_as(peer: str, addresses: dict[str, str] | str) -> Dial:
    """Find every domain, or each its own, at an address without TLS, and call as `peer`."""

    def dial(domain: str, interceptors: Interceptors) -> grpc.aio.Channel:
        address = addresses if isinstance(addresses, str) else addresses[domain]
        return grpc.aio.insecure_channel(address, options=OPTIONS, interceptors=(*_saying(peer), *interceptors))

    return dial
