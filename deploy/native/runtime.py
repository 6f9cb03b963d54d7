"""One native stack of one checkout: its names, its ports and the folders it may write to.

What `topology.toml`, `ports.toml` and the environment decide is answered here, so that two stacks,
such as a developer's and that of the tests, never meet on a port or in a folder.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import Template
from typing import Any

from deploy.native.errors import ConfigurationError
from deploy.native.versions import Pin, read_pins

PORT_OFFSET = "ORDERMESH_PORT_OFFSET"
ROOT = "ORDERMESH_RUN"
HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class TableTopology:
    """A table whose rows go to a compacted topic; `poll_ms` as below."""

    table: str
    topic: str
    poll_ms: int


@dataclass(frozen=True, slots=True)
class ServiceTopology:
    """What a service is called in the database and on Kafka, how many of it run, and which others it may call.

    `consumes` are topics, `caches` whether it may use Valkey. `poll_ms` is how often Debezium asks the WAL of its
    database for news, in milliseconds. `calls` are made for itself, `calls_for_users` for users too.
    """

    database: str
    events_topic: str
    poll_ms: int
    instances: int
    calls: tuple[str, ...]
    calls_for_users: tuple[str, ...] = ()
    consumes: tuple[str, ...] = ()
    caches: bool = False
    tables: Mapping[str, TableTopology] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MeshTopology:
    """The names of the mesh, how many control planes serve it, and where the dashboard of a service is."""

    datacenter: str
    zone: str
    control_plane_replicas: int
    dashboard: str


@dataclass(frozen=True, slots=True)
class AuthTopology:
    """Who issues the access tokens, and for whom."""

    issuer: str
    audience: str


@dataclass(frozen=True, slots=True)
class TopicTopology:
    """How every topic is made."""

    partitions: int
    retention_days: int
    dead_letter_suffix: str


@dataclass(frozen=True, slots=True)
class Topology:
    """`deploy/topology.toml`."""

    mesh: MeshTopology
    auth: AuthTopology
    topics: TopicTopology
    services: Mapping[str, ServiceTopology]
    edge_calls_for_users: tuple[str, ...]
    consumers: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(cls, file: Path) -> "Topology":
        """Read the file; a key too many or too few is a `TypeError` naming it."""
        raw = _read_toml(file)
        services = {name: _with_tables(_with_tuples(service)) for name, service in raw["services"].items()}
        return cls(
            mesh=MeshTopology(**raw["mesh"]),
            auth=AuthTopology(**raw["auth"]),
            topics=TopicTopology(**raw["topics"]),
            services={name: ServiceTopology(**service) for name, service in services.items()},
            edge_calls_for_users=tuple(raw["edge"]["calls_for_users"]),
            consumers={name: tuple(topics) for name, topics in raw["consumers"].items()},
        )


def _with_tuples(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


@dataclass(frozen=True, slots=True)
class Ports:
    """`deploy/ports.toml`, moved by an offset as a whole."""

    numbers: Mapping[str, Mapping[str, int]]
    offset: int = 0

    def __call__(self, group: str, name: str) -> int:
        """Answer the port to use; a name that is not in the file is a mistake of ours."""
        return self.numbers[group][name] + self.offset


@dataclass(frozen=True, slots=True)
class Runtime:
    """One stack. Folders are only named here, never made: whoever writes to one decides on its mode."""

    checkout: Path
    root: Path
    topology: Topology
    ports: Ports
    versions: Mapping[str, Pin]

    @classmethod
    def load(cls, checkout: Path, environ: Mapping[str, str]) -> "Runtime":
        """Read the checkout's files; raise ConfigurationError for an environment that cannot be followed."""
        checkout = checkout.resolve()
        numbers = _read_toml(checkout / "deploy" / "ports.toml")
        offset = _offset(environ.get(PORT_OFFSET, ""), numbers)
        ports = Ports(numbers, offset)
        topology = Topology.read(checkout / "deploy" / "topology.toml")
        issuer = Template(topology.auth.issuer).substitute(edge=ports("edge", "https"))
        return cls(
            checkout=checkout,
            root=_root(checkout, environ.get(ROOT, ""), offset),
            topology=replace(topology, auth=replace(topology.auth, issuer=issuer)),
            ports=ports,
            versions=read_pins(checkout / "deploy" / "versions.toml"),
        )

    def port(self, group: str, name: str) -> int:
        """Answer a port of `deploy/ports.toml`, such as `port("postgres", "sql")`, with the offset added."""
        return self.ports(group, name)

    def config(self, component: str) -> Path:
        """Name the folder of a component's rendered settings."""
        return self.root / "config" / component

    def data(self, component: str) -> Path:
        """Name the folder in which a component keeps its data."""
        return self.root / "data" / component

    def log(self, program: str) -> Path:
        """Name the file that a supervised program's output goes to."""
        return self.root / "log" / f"{program}.log"

    def env_file(self, name: str) -> Path:
        """Name the file with a process's settings, read by it through ORDERMESH_ENV_FILE."""
        return self.root / "env" / f"{name}.env"

    def own_settings(self, name: str) -> Path:
        """Name the file in which whoever runs the stack sets what a process is told differently; it may be absent."""
        return self.root / "settings" / f"{name}.env"

    def identity(self, process: str) -> Path:
        """Name the folder in which a process keeps its certificate; no two share one."""
        return self.root / "identity" / process


def _with_tables(service: Mapping[str, Any]) -> dict[str, Any]:
    return {**service, "tables": {name: TableTopology(**table) for name, table in service.get("tables", {}).items()}}


def _read_toml(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _offset(text: str, numbers: Mapping[str, Mapping[str, int]]) -> int:
    """Read the offset; every port has to stay a port."""
    highest = HIGHEST_PORT - max(port for group in numbers.values() for port in group.values())
    if not text:
        return 0
    if not text.isdecimal() or int(text) > highest:
        raise ConfigurationError(f"{PORT_OFFSET} is {text!r}; set a whole number from 0 to {highest}")
    return int(text)


def _root(checkout: Path, chosen: str, offset: int) -> Path:
    """Keep a stack with other ports in a folder of its own, or the two would share their data."""
    if chosen:
        return checkout / chosen
    return checkout / ".run" / "test" if offset else checkout / ".run"
