"""Consul: a single server with its UI, closed to whoever brings no token, and the authority of the mesh.

Its agent shows the services whose health it checks the certificate that it serves gRPC with.
"""

from string import Template

from deploy.native import certificates
from deploy.native.components import Components
from deploy.native.programs.program import Program, Stage
from deploy.native.rendering import keep, render
from deploy.native.runtime import Runtime
from deploy.native.secrets import AGENT, Secrets

NAME = "consul"
PORTS = ("https", "http", "grpc", "server", "serf_lan")
SETTINGS = "consul.json"


def program(runtime: Runtime, components: Components) -> Program:
    """Say how it is started."""
    settings = runtime.config(NAME) / SETTINGS
    return Program(
        name=NAME,
        command=(components.consul, "agent", "-config-file", settings),
        stage=Stage.INFRASTRUCTURE,
        ports=tuple(runtime.port(NAME, port) for port in PORTS),
        inputs=(settings, runtime.config(certificates.TLS) / "consul.pem"),
        authority=certificates.consul_authority(runtime),
        stop_signal="INT",
    )


def configure(runtime: Runtime, kept: Secrets) -> None:
    """Write its settings, which hold the keys to it."""
    made = certificates.of(runtime)
    text = render(
        f"consul/{SETTINGS}",
        authority=made.consul_authority.certificate,
        certificate=made.consul.certificate,
        key=made.consul.key,
        datacenter=runtime.topology.mesh.datacenter,
        dashboard=Template(runtime.topology.mesh.dashboard).substitute(edge=runtime.port("edge", "http")),
        data=runtime.data(NAME),
        gossip_key=kept.gossip_key,
        management_token=kept.consul_management_token,
        agent_token=kept.consul_tokens[AGENT],
        **{port: runtime.port(NAME, port) for port in PORTS},
    )
    keep(runtime.config(NAME) / SETTINGS, text)
