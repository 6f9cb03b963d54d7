"""What the machine brings: tools, components, space, memory, ports, and whether secrets are kept secret."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from deploy.native import components, ports, secrets
from deploy.native.components import on_path
from deploy.native.components.catalogue import catalogue
from deploy.native.components.prerequisites import Prerequisite
from deploy.native.doctor.finding import Finding
from deploy.native.runtime import Runtime

GIB = 1024**3
# What a stack takes: its components in the cache, and WAL, topics and logs within their limits.
NEEDED_DISK = 3 * GIB
# The promise of `make up`: everything together.
NEEDED_MEMORY = 3 * GIB


def tools(runtime: Runtime) -> Iterator[Finding]:
    """Look at the programs that only the machine's package manager can bring, if something needs them."""
    cache, path = components.cache_directory(), os.environ.get("PATH", os.defpath)
    known = catalogue(runtime.versions).values()
    absent = [each for each in known if not each.folder(cache).is_dir() and not each.stand_in(path)]
    needed = [
        *(tool for each in known for tool in each.runs_with),
        *(tool for each in absent for tool in each.builds_with),
    ]
    for tool in dict.fromkeys(needed):
        yield _tool(tool, path)


def installed(runtime: Runtime) -> Iterator[Finding]:
    """Look for each component in the cache or on PATH."""
    cache, path = components.cache_directory(), os.environ.get("PATH", os.defpath)
    for component in catalogue(runtime.versions).values():
        stand_in = component.stand_in(path)
        there = component.folder(cache).is_dir()
        if stand_in or there:
            yield Finding(f"{component}: {stand_in or component.folder(cache)}")
        else:
            yield Finding(f"{component} is not installed", f"python -m deploy.native install {component.pin.name}")


def resources(runtime: Runtime, *, runs: bool) -> Iterator[Finding]:
    """Look at the space on disk, and at the memory unless the stack already has its own."""
    for folder in sorted({_existing(runtime.root), _existing(components.cache_directory())}):
        yield enough(shutil.disk_usage(folder).free, NEEDED_DISK, f"on the disk of {folder}", "make room there")
    if not runs:
        yield enough(available_memory(), NEEDED_MEMORY, "of memory", "end other programs, or give the machine more")


def private_files(runtime: Runtime) -> Iterator[Finding]:
    """Look whether others may read what is secret."""
    names = (
        secrets.FILE_NAME,
        "credentials.json",
        "env/*.env",
        "settings/*.env",
        "kafka/*.properties",
        "config/tls/*-key.pem",
        "config/kafka/*.p*",
        "config/connect/*.p*",
        "config/valkey/*.acl",
        "config/consul/consul.json",
        "config/supervisor/*.conf",
    )
    found = [file for name in names for file in runtime.root.glob(name)]
    readable = [file for file in found if stat.S_IMODE(file.stat().st_mode) & 0o077]
    for file in readable:
        yield Finding(f"{file} can be read by others", f"chmod 600 {file}")
    if found and not readable:
        yield Finding(f"{len(found)} files with secrets, readable by their owner only")


def free_ports(runtime: Runtime) -> Iterator[Finding]:
    """Look whether the stack could listen where it wants to."""
    wanted = {
        runtime.port(group, name): f"{group} {name}"
        for group, numbers in runtime.ports.numbers.items()
        for name in numbers
    }
    taken = ports.taken(wanted)
    for port, holder in taken.items():
        advice = "end it, or choose other ports: ORDERMESH_PORT_OFFSET=10000 make up"
        yield Finding(f"port {port} for {wanted[port]} is taken by {holder}", advice)
    if not taken:
        yield Finding(f"{len(wanted)} ports are free, from {min(wanted)} to {max(wanted)}")


def enough(there: int, needed: int, what: str, advice: str) -> Finding:
    """Compare sizes in bytes."""
    told = f"{there / GIB:.1f} GB free {what}"
    return Finding(told) if there >= needed else Finding(f"{told}, {needed / GIB:.0f} GB are needed", advice)


def available_memory(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Read how many bytes programs could still take without swapping."""
    fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
    return int(fields["MemAvailable"].split()[0]) * 1024


def _tool(tool: Prerequisite, path: str) -> Finding:
    if fault := tool.fault(path):
        return Finding(fault, f"on Debian or Ubuntu: apt-get install {tool.package}")
    return Finding(f"{tool.title}: {on_path.find(tool.program, path, tool.arguments)}")


def _existing(folder: Path) -> Path:
    """Find the nearest folder that is there already."""
    return next(each for each in (folder, *folder.parents) if each.exists())
