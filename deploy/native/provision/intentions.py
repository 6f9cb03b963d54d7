"""Consul's intentions: which service may call which, for itself or for users; whatever is not said is refused.

An entry stands under the name of the service that is called, and lists those that may call it. A plain "allow" lets a
service call for itself. To call for users takes a permission that names the header of their claims, which Consul takes
only for a service whose protocol it knows to be gRPC. Operators may call one method of everybody: the one that tells
what the process believes. mesh/intentions.py is what reads all this.
"""

from collections.abc import Mapping
from typing import Any

from consul import Consul
from consul.exceptions import ConsulException

from deploy.native import members
from deploy.native.members import Members
from deploy.native.provision.consul import client_of
from deploy.native.provision.summary import summary
from deploy.native.provision.waiting import wait_for
from deploy.native.runtime import Runtime, Topology
from deploy.native.secrets import CONTROL_PLANE, EDGE, OPERATOR

KIND = "service-intentions"
DEFAULTS = "service-defaults"
GRPC = "grpc"
ALLOW = "allow"
CLAIMS = "x-ordermesh-claims"
"""mesh/headers.py says what it is."""

FOR_ITSELF: Mapping[str, Any] = {"Action": ALLOW}
FOR_USERS: Mapping[str, Any] = {
    "Permissions": [
        {"Action": ALLOW, "HTTP": {"PathPrefix": "/", "Header": [{"Name": CLAIMS, "Present": True}]}},
        {"Action": ALLOW, "HTTP": {"PathPrefix": "/"}},
    ]
}
INTROSPECTION = "/ordermesh.mesh.v1.IntrospectionService/GetProcess"
LOOK: Mapping[str, Any] = {"Permissions": [{"Action": ALLOW, "HTTP": {"PathExact": INTROSPECTION}}]}
Sources = dict[str, Mapping[str, Any]]
"""What an entry says about each source."""


def intentions(runtime: Runtime) -> str:
    """Create or correct the entry of everybody who can be called; entries of members that left are taken away."""
    client = client_of(runtime)
    entries = wait_for("Consul", lambda: client.config.list(KIND), errors=(OSError, ConsulException))
    found = {entry["Name"]: _said(entry) for entry in entries}
    protocols = {entry["Name"]: entry.get("Protocol") for entry in client.config.list(DEFAULTS)}
    changes = []
    for service, sources in sources_of(runtime.topology, members.read(runtime.root)).items():
        if protocols.get(service) != GRPC:
            client.config.set(DEFAULTS, service, {"Protocol": GRPC})
            changes.append(f"{service} speaks gRPC")
        if found.pop(service, {}) != sources:
            changes.append(_write(client, service, sources))
    for service in found:
        client.config.delete(KIND, service)
        changes.append(f"{service} may be called by nobody")
    return summary("intentions", changes)


def sources_of(topology: Topology, joined: Members) -> dict[str, Sources]:
    """List who may call each service, the edge and members among them, and for whom."""
    found: dict[str, Sources] = {name: {OPERATOR: LOOK} for name in (CONTROL_PLANE, *topology.services, *joined)}
    for caller, member in joined.items():
        for called in member.calls:
            if called in found:
                found[called][caller] = FOR_ITSELF
    for caller, own in topology.services.items():
        for called in own.calls:
            found[called][caller] = FOR_ITSELF
        for called in own.calls_for_users:
            found[called][caller] = FOR_USERS
    for called in topology.edge_calls_for_users:
        found[called][EDGE] = FOR_USERS
    return found


def _write(client: Consul, service: str, sources: Sources) -> str:
    client.config.set(KIND, service, {"Sources": [{"Name": name, **said} for name, said in sources.items()]})
    return f"{service} may be called by {' and '.join(sorted(sources))}"


def _said(entry: Mapping[str, Any]) -> Sources:
    """Leave out what Consul adds to each source."""
    return {
        source["Name"]: {key: source[key] for key in ("Action", "Permissions") if key in source}
        for source in entry.get("Sources") or ()
    }
