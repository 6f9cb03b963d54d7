"""Consul's intentions: which service may call which, as the topology says; whatever is not said is refused.

An entry stands under the name of the service that is called, and lists those that may call it.
"""

from collections.abc import Mapping
from typing import Any

from consul import Consul
from consul.exceptions import ConsulException

from deploy.native.provision.consul import client_of
from deploy.native.provision.summary import summary
from deploy.native.provision.waiting import wait_for
from deploy.native.runtime import Runtime, Topology
from deploy.native.secrets import EDGE

KIND = "service-intentions"
ALLOW = "allow"


def intentions(runtime: Runtime) -> str:
    """Create or correct the entry of every service."""
    client = client_of(runtime)
    entries = wait_for("Consul", lambda: client.config.list(KIND), errors=(OSError, ConsulException))
    found = {entry["Name"]: _allowed(entry) for entry in entries}
    changes = []
    for service, callers in callers_of(runtime.topology).items():
        if found.get(service, ()) != callers:
            changes += _allow(client, service, callers)
    return summary("intentions", changes)


def callers_of(topology: Topology) -> dict[str, tuple[str, ...]]:
    """List who may call each service, the edge among them."""
    calls = {
        EDGE: topology.edge_calls,
        **{name: service.calls for name, service in topology.services.items()},
    }
    return {
        service: tuple(sorted(caller for caller, called in calls.items() if service in called))
        for service in topology.services
    }


def _allow(client: Consul, service: str, callers: tuple[str, ...]) -> list[str]:
    if callers:
        client.config.set(KIND, service, {"Sources": [{"Name": caller, "Action": ALLOW} for caller in callers]})
        return [f"{service} may be called by {' and '.join(callers)}"]
    # An entry without a source is refused, and none means the same.
    client.config.delete(KIND, service)
    return [f"{service} may be called by nobody"]


def _allowed(entry: Mapping[str, Any]) -> tuple[str, ...] | None:
    """List whom an entry allows; None for one that says anything else besides, which is not ours."""
    sources = entry.get("Sources") or []
    if any(source.get("Action") != ALLOW for source in sources):
        return None
    return tuple(sorted(source["Name"] for source in sources))
