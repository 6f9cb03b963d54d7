"""An instance of `order` as a process of its own, to be killed by the tests. Arguments: its port and its name."""

import asyncio
import sys
from typing import Any

import grpc

from mesh.identity import joined
from mesh.settings import MeshSettings

SECONDS_PER_CALL = 0.05


class _AnyMethod(grpc.GenericRpcHandler):
    def __init__(self, name: str) -> None:
        self._name = name.encode()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401, ARG002
        answer: Any = self._answer
        return grpc.unary_unary_rpc_method_handler(answer)

    async def _answer(self, _request: bytes, _context: object) -> bytes:
        await asyncio.sleep(SECONDS_PER_CALL)
        return self._name


async def main(port: int, name: str) -> None:
    """Answer every method with the name, slowly enough that a kill always meets calls under way."""
    async with joined(MeshSettings(port=port, metrics_port=1)) as identity:
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((_AnyMethod(name),))
        server.add_secure_port(f"127.0.0.1:{port}", identity.server_credentials())
        await server.start()
        await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
