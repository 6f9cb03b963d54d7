"""Refuses files that name a path of one machine or the host of a package registry.

Either makes a clone that works for its author only: others build elsewhere and fetch through mirrors.
"""

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

MACHINE_PATH = re.compile(r"(?<![\w.~}$)/-])/(?:work|root|home/\w+|Users/\w+)(?=/|\b(?![\w-]))")
HOST = re.compile(r"(?<![\w-])(?:[a-z0-9-]+\.)+(?:org|com|io|dev|net)\b")
# SHA-256, cut to 16 digits, of the hosts of the usual registries of Python, Node, Go, Rust, Java and Debian:
# this file, too, names none.
REGISTRY_HOSTS = frozenset(
    {
        "789e46d79514e280",
        "e680c440a2e92079",
        "048e76c14ef34200",
        "c3db8466ffcd8589",
        "3ca29e55be4befa4",
        "8743857e3ea00fd1",
        "00a7dc5a0cc38858",
        "a4aa2ac280bb8d1a",
        "d6d7019ca9fcbf07",
        "8b5bb5eb9d758455",
        "317d2d52829b7812",
        "9da5f32d96412512",
        "87d14f070cb96869",
    }
)


def names_registry(host: str) -> bool:
    """Tell whether the host, or a domain it belongs to, is a registry's."""
    labels = host.split(".")
    domains = (".".join(labels[start:]) for start in range(len(labels) - 1))
    return any(hashlib.sha256(domain.encode()).hexdigest()[:16] in REGISTRY_HOSTS for domain in domains)


def faults(line: str) -> Iterator[str]:
    """Describe what the line must not name."""
    yield from (f"names the machine path {match.group()}" for match in MACHINE_PATH.finditer(line))
    yield from (f"names the registry host {host}" for host in HOST.findall(line.lower()) if names_registry(host))


def committed_files() -> list[Path]:
    """Files that git tracks or would add, except the vendored ones, which are not ours to edit."""
    listed = subprocess.check_output(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
    names = listed.decode().split("\0")
    return [Path(name) for name in names if name and not name.startswith("third_party/")]


def main() -> None:
    """Print each fault as file:line and exit with status 1 if there is one."""
    found = 0
    for file in committed_files():
        if not file.is_file() or b"\0" in (content := file.read_bytes())[:8000]:
            continue
        for number, line in enumerate(content.decode(errors="replace").splitlines(), start=1):
            for fault in faults(line):
                print(f"{file}:{number}: {fault}")
                found += 1
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
