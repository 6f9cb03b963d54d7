"""Consul's intentions: which service may call which, as the topology says; whatever is not said is refused.

An entry stands under the name of the service that is called, and lists those that may call it. Operators may call one
method of everybody: the one that tells what the process believes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from consul import Consul
from consul.exceptions import ConsulException

from deploy.native import members, secrets
from deploy.native.members import Members
from deploy.native.provision.consul import HOST
from deploy.native.provision.summary import summary
from deploy.native.provision.waiting import wait_for
from deploy.native.runtime import Runtime, Topology
from deploy.native.secrets import CONTROL_PLANE, EDGE, OPERATOR

KIND = "service-intentions"
# Single methods are for protocols that have some.
PROTOCOL = {"Config": {"protocol": "grpc"}}
PROXY_DEFAULTS = ("proxy-defaults", "global")
ALLOW = "allow"
INTROSPECTION = "/ordermesh.mesh.v1.IntrospectionService/GetProcess"

Source = Mapping[str, Any]


def intentions(runtime: Runtime) -> str:
    """Create or correct the entry of every service and member; entries of those that left are taken away."""
    kept = secrets.ensure(runtime.root, runtime.topology.services)
    client = Consul(host=HOST, port=runtime.port("consul", "http"), token=kept.consul_management_token)
    entries = wait_for("Consul", lambda: client.config.list(KIND), errors=(OSError, ConsulException))
    found = {entry["Name"]: [_said(source) for source in entry.get("Sources") or []] for entry in entries}
    changes = _speak_grpc(client)
    for service, callers in callers_of(runtime.topology, members.read(runtime.root)).items():
        wanted = sources_of(callers)
        if found.pop(service, None) != wanted:
            client.config.set(KIND, service, {"Sources": wanted})
            changes.append(f"{service} may be called by {' and '.join(callers) or 'operators only'}")
    for service in found:
        client.config.delete(KIND, service)
        changes.append(f"{service} may be called by nobody")
    return summary("intentions", changes)


def callers_of(topology: Topology, joined: Members) -> dict[str, tuple[str, ...]]:
    """List who may call each service, the edge among them."""
    calls = {
        EDGE: topology.edge_calls,
        **{name: service.calls for name, service in topology.services.items()},
        **{name: member.calls for name, member in joined.items()},
    }
    called = (CONTROL_PLANE, *topology.services, *joined)
    return {name: tuple(sorted(caller for caller, those in calls.items() if name in those)) for name in called}


def sources_of(callers: Sequence[str]) -> list[Source]:
    """Write an entry's sources in Consul's words, by name."""
    look = {"Action": ALLOW, "HTTP": {"PathExact": INTROSPECTION}}
    sources: list[Source] = [{"Name": caller, "Action": ALLOW} for caller in callers]
    return sorted([*sources, {"Name": OPERATOR, "Permissions": [look]}], key=lambda source: str(source["Name"]))


def _speak_grpc(client: Consul) -> list[str]:
    kind, name = PROXY_DEFAULTS
    if any(entry.get("Config") == PROTOCOL["Config"] for entry in client.config.list(kind)):
        return []
    client.config.set(kind, name, PROTOCOL)
    return ["everybody speaks gRPC"]


def _said(source: Source) -> Source:
    """Leave out what Consul adds."""
    said = {key: source[key] for key in ("Name", "Action") if source.get(key)}
    permissions = [{"Action": each["Action"], "HTTP": each.get("HTTP")} for each in source.get("Permissions") or []]
    return {**said, "Permissions": permissions} if permissions else said
