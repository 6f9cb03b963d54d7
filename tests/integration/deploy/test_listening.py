"""Where `make up` listens: on loopback only, and with TLS but for what docs/security.md lists with a reason."""

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.native import secrets
from deploy.native.ports import HOST
from deploy.native.processes import PROC, Table
from deploy.native.runtime import Runtime
from deploy.native.supervisor import Supervisor

LISTENING = "0A"
# 127.0.0.1 as the kernel writes it, and as one of IPv6, which is what Java opens.
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}
# Consul's servers let a byte tell what follows on their port.
CONSUL_TLS = b"\3"
PAGE = "docs/security.md"
HEADING = "## What listens without TLS"
ROW = re.compile(r"^\| ([\d, ]+) \|", re.MULTILINE)
TIMEOUT_S = 5


@pytest.fixture(scope="module")
def places(stack: Runtime) -> set[tuple[str, int]]:
    """Find every address, as the kernel writes it, and port that a process of the stack listens on."""
    supervisor = Supervisor(stack, secrets.ensure(stack.root, stack.topology.services))
    sockets = {link for pid in Table.read().family(supervisor.pid()) for link in _opened(pid)}
    rows = [line.split() for name in ("tcp", "tcp6") for line in (PROC / "net" / name).read_text().splitlines()[1:]]
    listening = [row for row in rows if row[3] == LISTENING and f"socket:[{row[9]}]" in sockets]
    return {(address, int(port, 16)) for address, port in (row[1].split(":") for row in listening)}


def _opened(pid: int) -> Iterator[str]:
    """List what a process has open, as far as that is still so."""
    for link in (PROC / str(pid) / "fd").glob("*"):
        with contextlib.suppress(OSError):
            yield str(link.readlink())


def speaks_tls(port: int, before: bytes = b"") -> bool:
    """Begin TLS with whatever is there: an alert is TLS too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["postgresql", "h2", "http/1.1"])
    with socket.create_connection((HOST, port), TIMEOUT_S) as connection:
        connection.sendall(before)
        try:
            context.wrap_socket(connection, server_hostname="localhost").close()
        except ssl.SSLError as error:
            return "ALERT" in (error.reason or "")
        except OSError:
            return False
    return True


def listed(stack: Runtime) -> set[int]:
    """Read the ports from the page."""
    _, _, section = (stack.checkout / Path(PAGE)).read_text().partition(HEADING)
    section = section.partition("\n## ")[0]
    return {int(port) + stack.ports.offset for row in ROW.findall(section) for port in row.split(",")}


def test_the_stack_listens_on_loopback_only(places: set[tuple[str, int]]) -> None:
    """Whoever is on the network finds nothing."""
    assert {address for address, _ in places} <= LOOPBACK


def test_what_listens_without_tls_is_what_the_page_lists(stack: Runtime, places: set[tuple[str, int]]) -> None:
    """Neither more nor less."""
    plain = {port for _, port in places if not (speaks_tls(port) or speaks_tls(port, CONSUL_TLS))}
    offset = stack.ports.offset
    assert sorted(port - offset for port in plain) == sorted(port - offset for port in listed(stack))
