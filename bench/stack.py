"""The running stack that is measured: where it answers, how to log in, and which processes it is made of."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from bench.accounts import Pids
from bench.errors import BenchError
from deploy.native import secrets
from deploy.native.runtime import Runtime
from deploy.native.supervisor import NAME as SUPERVISOR
from deploy.native.supervisor import Supervisor
from mesh.certificates import Files
from mesh.headers import EDGE

START = "start the stack with: make up"
CREDENTIALS = "credentials.json"
NEEDED = {"edge_http", "kafka_client", "admin_email", "admin_password"}


@dataclass(frozen=True, slots=True)
class Stack:
    """One running stack."""

    runtime: Runtime
    edge: str
    kafka: str
    admin_email: str
    admin_password: str = field(repr=False)
    pids: Pids

    @classmethod
    def find(cls, runtime: Runtime) -> "Stack":
        """Ask the supervisor what runs. Raises BenchError unless everything does."""
        found = _credentials(runtime.root)
        kept = secrets.ensure(runtime.root, runtime.topology.services)
        pids = _pids(Supervisor(runtime, kept))
        if missing := sorted(NEEDED - found.keys()):
            raise BenchError(f"{CREDENTIALS} has no {', '.join(missing)}: it is another version's; {START}")
        return cls(
            runtime=runtime,
            edge=found["edge_http"],
            kafka=found["kafka_client"],
            admin_email=found["admin_email"],
            admin_password=found["admin_password"],
            pids=pids,
        )

    @property
    def python(self) -> list[str]:
        """The programs that are our own Python and part of the product: services and control planes."""
        families = (*self.runtime.topology.services, secrets.CONTROL_PLANE)
        return [name for name in self.pids if name in families or name.rpartition("-")[0] in families]

    @property
    def events_topic(self) -> str:
        """Where the orders' events go."""
        return self.runtime.topology.services["order"].events_topic

    @property
    def identity(self) -> Files:
        """The edge's certificate: the bench calls services as the edge does."""
        return Files(self.runtime.identity(EDGE))

    def address(self, service: str) -> str:
        """Where the first instance of a service answers to gRPC."""
        return f"127.0.0.1:{self.runtime.port(service, 'grpc')}"


def _credentials(root: Path) -> dict[str, str]:
    """Read what `make up` wrote. Raises BenchError when it never did."""
    path = root / CREDENTIALS
    if not path.is_file():
        raise BenchError(f"there is no {path.name} in {root.name}; {START}")
    found: dict[str, str] = json.loads(path.read_text())
    return found


def _pids(supervisor: Supervisor) -> Pids:
    if not supervisor.answers():
        raise BenchError(f"the stack does not run; {START}")
    states = supervisor.states()
    if idle := [state.name for state in states if not state.runs]:
        raise BenchError(f"{', '.join(idle)} does not run; see make status, and {START}")
    return {state.name: state.pid for state in states} | {SUPERVISOR: supervisor.pid()}
