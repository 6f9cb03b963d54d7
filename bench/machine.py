"""The machine a run is made on: what it is, and how busy it is with other things meanwhile."""

import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from bench.accounts import TICKS_PER_SECOND
from deploy.native.runtime import Runtime

# Places in the first line of /proc/stat (proc_stat(5)): user, nice, system; then idle and iowait; then irq, softirq,
# steal. What guests use is within user.
BUSY = (1, 2, 3, 6, 7, 8)
COMPONENTS = ("postgresql", "kafka", "debezium", "envoy", "consul", "valkey")
KIB_PER_GIB = 1024 * 1024


def busy_seconds(stat: str) -> float:
    """Read from /proc/stat how long all processors together have worked, or were taken by the host."""
    fields = stat.splitlines()[0].split()
    return sum(int(fields[place]) for place in BUSY) / TICKS_PER_SECOND


def busy() -> float:
    """Tell it now."""
    return busy_seconds(Path("/proc/stat").read_text())


def own_seconds() -> float:
    """Tell how long this process has worked, and those of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def facts(runtime: Runtime) -> Mapping[str, str]:
    """Describe the machine and what runs on it."""
    pins = runtime.versions
    return {
        "processor": f"{len(os.sched_getaffinity(0))} x {_field('/proc/cpuinfo', 'model name')}",
        "memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / KIB_PER_GIB:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "grpcio": metadata.version("grpcio"),
        **{name: pins[name].version for name in COMPONENTS if name in pins},
    }


def _field(file: str, name: str) -> str:
    """Read the first value of that name from a file of `name: value` lines; `unknown` where there is none."""
    for line in Path(file).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"
