"""The least a gRPC service in Python can be: it answers every call with the same bytes, and does nothing else.

Run as `python -m bench.echo BYTES` it serves on a free port, which it prints, until its input ends.
"""

import asyncio
import sys

import grpc
import uvloop

SERVICE = "ordermesh.bench.Echo"
METHOD = f"/{SERVICE}/Echo"
HOST = "127.0.0.1"


async def serve(size: int) -> None:
    """Answer with messages of `size` bytes until standard input is closed, which it is when its owner dies."""
    reply = bytes(size)

    async def echo(_: bytes, __: object) -> bytes:
        return reply

    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(echo)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Echo": handler}),))
    print(server.add_insecure_port(f"{HOST}:0"), flush=True)
    await server.start()
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(0)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
