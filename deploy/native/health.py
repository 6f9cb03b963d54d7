"""Whether a program does its work, asked of the program itself and not of its supervisor."""

import contextlib
import json
import socket
import ssl
from collections.abc import Callable, Mapping

import httpx

from deploy.native import certificates
from deploy.native.programs import Program, Stage
from deploy.native.programs.ours import EDGE_IDENTITY

HOST = "127.0.0.1"
TIMEOUT_S = 2.0
HTTP_OK = 200
# A gRPC message is a byte that tells whether it is compressed, its length in four bytes, and itself.
EMPTY_MESSAGE = b"\0" + (0).to_bytes(4, "big")
SERVING = b"\x08\x01"  # grpc.health.v1.HealthCheckResponse{status: SERVING}


class Unhealthy(Exception):
    """It answers, but not as it should; the message says how."""


ERRORS = (OSError, httpx.HTTPError, Unhealthy)


def check(program: Program) -> None:
    """Ask it once. Raises one of ERRORS unless it is well."""
    probe = _OF_NAME.get(program.name) or _OF_STAGE.get(program.stage, _accepts)
    probe(program)


def complaint(program: Program) -> str:
    """Say what is wrong with it, or nothing."""
    try:
        check(program)
    except ERRORS as error:
        return str(error) or type(error).__name__
    return ""


def _accepts(program: Program) -> None:
    """Connect; where it has a certificate, that must be good."""
    with socket.create_connection((HOST, program.ports[0]), TIMEOUT_S) as connection:
        if program.authority:
            _shake_hands(connection, _trusting(program))


def _postgres(program: Program) -> None:
    """It takes TLS from the first byte of whoever says that it speaks PostgreSQL."""
    context = _trusting(program)
    context.set_alpn_protocols(["postgresql"])
    with socket.create_connection((HOST, program.ports[0]), TIMEOUT_S) as connection:
        _shake_hands(connection, context)


def _shake_hands(connection: socket.socket, context: ssl.SSLContext) -> None:
    # Left with a goodbye, it writes no complaint to its log.
    with context.wrap_socket(connection, server_hostname=HOST) as encrypted, contextlib.suppress(OSError):
        encrypted.unwrap()


def _valkey(program: Program) -> None:
    """It wants to know who asks."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(str(program.socket))
        connection.sendall(b"PING\r\n")
        _expect(connection.recv(64)[:7], b"-NOAUTH")


def _consul(program: Program) -> None:
    """It can only write once it has elected itself leader."""
    leader = _get(program, "/v1/status/leader")
    if leader in {b"", b'""'}:
        raise Unhealthy("no leader yet")


def _connect(program: Program) -> None:
    _get(program, "/connectors")


def _edge(program: Program) -> None:
    """Envoy's administration says LIVE once the first configuration has come from the control plane."""
    _answer(f"http://{HOST}:{program.ports[-1]}/ready")


def epoch(program: Program) -> int:
    """Tell how often an Envoy has been replaced without a pause. Raises one of ERRORS while that happens."""
    told = json.loads(_answer(f"http://{HOST}:{program.ports[-1]}/server_info"))
    return int(told["command_line_options"]["restart_epoch"])


def _grpc(program: Program) -> None:
    """Ask grpc.health.v1 for the process as a whole; by hand, because gRPC's library is the mesh's alone."""
    headers = {"content-type": "application/grpc", "te": "trailers"}
    address = f"https://{HOST}:{program.ports[0]}/grpc.health.v1.Health/Check"
    with httpx.Client(http1=False, http2=True, timeout=TIMEOUT_S, trust_env=False, verify=_as(program)) as client:
        reply = client.post(address, content=EMPTY_MESSAGE, headers=headers)
    if reply.content[len(EMPTY_MESSAGE) :] != SERVING:
        raise Unhealthy("not serving")


def _identified(program: Program) -> None:
    """It has been given a certificate."""
    _accepts(program)
    _as(program)


def _as(program: Program) -> ssl.SSLContext:
    """Be who the program is: any process of the mesh may ask how another is."""
    folder = program.identity
    if folder is None or not (folder / "cert.pem").exists():
        raise Unhealthy("has no certificate yet")
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def _trusting(program: Program) -> ssl.SSLContext:
    """Verify the program, and show what it wants to see."""
    if program.authority is None or not program.authority.exists():
        raise Unhealthy("has no certificate yet")
    return certificates.verified(program.authority, program.shown)


def _get(program: Program, path: str) -> bytes:
    return _answer(f"https://{HOST}:{program.ports[0]}{path}", _trusting(program))


def _answer(address: str, context: ssl.SSLContext | bool = True) -> bytes:  # noqa: FBT001, FBT002 - httpx's own
    reply = httpx.get(address, timeout=TIMEOUT_S, trust_env=False, verify=context)
    if reply.status_code != HTTP_OK:
        raise Unhealthy(f"{reply.url.path} answers {reply.status_code} {reply.text.strip()[:100]}".strip())
    return reply.content


def _expect(found: bytes, wanted: bytes) -> None:
    if found != wanted:
        raise Unhealthy(f"answers {found!r}")


_OF_NAME: Mapping[str, Callable[[Program], None]] = {
    "postgres": _postgres,
    "valkey": _valkey,
    "consul": _consul,
    "connect": _connect,
    EDGE_IDENTITY: _identified,
}
_OF_STAGE: Mapping[Stage, Callable[[Program], None]] = {
    Stage.CONTROL_PLANE: _grpc,
    Stage.SERVICE: _grpc,
    Stage.EDGE: _edge,
}
