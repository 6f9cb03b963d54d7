"""The edge's configuration: what gateway makes of the contracts, with this install's ports, files and names."""

from pathlib import Path

import gateway
from deploy.native import certificates, components
from deploy.native.provision.summary import summary
from deploy.native.runtime import Runtime
from deploy.native.secrets import CONTROL_PLANE
from gateway import EdgeSettings, Files, Messages, Options, Ports
from mesh.contract import Contract

COMPONENT = "edge"
DESCRIPTORS = Path("build/descriptors.binpb")


def edge(runtime: Runtime) -> str:
    """Write Envoy's bootstrap and what it reads; the summary names what changed and asks for a new start of it."""
    programs = components.locate(cache=components.cache_directory(), versions=runtime.versions)
    changed = gateway.write(options_of(runtime), generator=programs.protoc_gen_openapi)
    return summary(COMPONENT, [f"{name} written" for name in changed])


def options_of(runtime: Runtime) -> Options:
    """Gather what the edge is made from."""
    topology = runtime.topology
    first = runtime.port(CONTROL_PLANE, "grpc")
    return Options(
        contract=Contract.load(runtime.checkout / DESCRIPTORS),
        messages=Messages(runtime.checkout / DESCRIPTORS),
        settings=EdgeSettings.load(),
        issuer=topology.auth.issuer,
        audience=topology.auth.audience,
        ports=Ports(**{name: runtime.port(COMPONENT, name) for name in ("http", "https", "admin", "keys")}),
        files=files_of(runtime),
        control_plane=tuple(range(first, first + topology.mesh.control_plane_replicas)),
        region=topology.mesh.datacenter,
        zone=topology.mesh.zone,
    )


def files_of(runtime: Runtime) -> Files:
    """Say where everything is that Envoy reads."""
    served = certificates.of(runtime).edge
    return Files(
        certificate=served.certificate,
        private_key=served.key,
        identity=runtime.identity(COMPONENT),
        descriptors=runtime.checkout / DESCRIPTORS,
        folder=runtime.config(COMPONENT),
        cache=runtime.data(COMPONENT) / "cache",
        kept=runtime.data(COMPONENT) / "kept",
    )
