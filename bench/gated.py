"""What the mesh itself costs: a server as each service has it, around a method that has its answer ready.

Run as `python -m bench.gated IDENTITY ORDER`, with the folder of a certificate and the order as hexadecimal bytes, it
serves GetOrder on a free port, which it prints, until its input ends.
"""

import asyncio
import os
import sys
from pathlib import Path

import grpc
import uvloop

from mesh.certificates import Files
from mesh.contract import Contract
from mesh.gate import Gate
from mesh.headers import EDGE
from mesh.intentions import FOR_USERS, Intentions
from mesh.peers import CertifiedPeers
from mesh.server import SERVER_OPTIONS
from mesh.settings import MeshSettings
from mesh.spiffe import TrustDomain, domain_in
from mesh.telemetry import configure_logging
from mesh.tracing import configure_tracing, server_interceptors
from ordermesh.order.v1 import order_pb2, order_service_pb2

SERVICE = "ordermesh.order.v1.OrderService"
HOST = "127.0.0.1"


def ready(order: order_pb2.Order) -> grpc.GenericRpcHandler:
    """Give everybody the same order."""

    async def get_order(_: order_service_pb2.GetOrderRequest, __: object) -> order_pb2.Order:
        return order

    handler: grpc.RpcMethodHandler[order_service_pb2.GetOrderRequest, order_pb2.Order]
    handler = grpc.unary_unary_rpc_method_handler(
        get_order,
        request_deserializer=order_service_pb2.GetOrderRequest.FromString,
        response_serializer=order_pb2.Order.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(SERVICE, {"GetOrder": handler})


async def serve(identity: Files, order: order_pb2.Order) -> None:
    """Serve until standard input is closed, with the interceptors and the logging of mesh.server."""
    settings = MeshSettings(service="bench", port=1, metrics_port=1)
    tracing = configure_tracing(settings)
    gate = Gate(Contract.load(), CertifiedPeers(_domain(identity), Intentions({EDGE: FOR_USERS})), settings.max_calls)
    server = grpc.aio.server(interceptors=(*server_interceptors(tracing), gate), options=SERVER_OPTIONS)
    server.add_generic_rpc_handlers((ready(order),))
    print(server.add_secure_port(f"{HOST}:0", _credentials(identity)), flush=True)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123, ASYNC230 - os.devnull is no path of ours
        sys.stdout = nowhere
        configure_logging("INFO", "bench")
        await server.start()
        await asyncio.to_thread(sys.stdin.read)
        await server.stop(0)
        tracing.shutdown()
        sys.stdout = sys.__stdout__


def _domain(identity: Files) -> TrustDomain:
    certificate = identity.read()
    if certificate is None:
        message = f"{identity.folder} has no certificate"
        raise FileNotFoundError(message)
    return domain_in(certificate.spiffe_id)


def _credentials(identity: Files) -> grpc.ServerCredentials:
    pair = (identity.key.read_bytes(), identity.certificate.read_bytes())
    return grpc.ssl_server_credentials([pair], identity.authorities.read_bytes(), require_client_auth=True)


if __name__ == "__main__":
    uvloop.run(serve(Files(Path(sys.argv[1])), order_pb2.Order.FromString(bytes.fromhex(sys.argv[2]))))
