"""Which ports are free, and who holds those that are not."""

import socket
from collections.abc import Iterable
from pathlib import Path

from deploy.native import processes

HOST = "127.0.0.1"
TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
LISTENING = "0A"


def taken(ports: Iterable[int]) -> dict[int, str]:
    """Answer the ports that cannot be listened on, each with who holds it as far as we may know."""
    return {port: holder(port) for port in ports if not is_free(port)}


def is_free(port: int) -> bool:
    """Tell whether a program could listen on it."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((HOST, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """Name the process that listens on it."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()) in sockets:
                pid = int(link.parts[2])
                return f"pid {pid}: {processes.command(pid)[:100]}"
        except OSError:  # ended meanwhile, or somebody else's
            continue
    return "a process of another user"


def _inodes(port: int) -> list[str]:
    rows = [line.split() for table in TABLES if table.exists() for line in table.read_text().splitlines()[1:]]
    return [row[9] for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port]
