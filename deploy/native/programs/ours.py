"""Our own processes: the services, the replicas of the control plane, and the sink that keeps mail in a folder."""

import os
import sys
from pathlib import Path

from deploy.native import certificates
from deploy.native.components import Components
from deploy.native.programs.program import Program, Stage
from deploy.native.runtime import Runtime
from deploy.native.secrets import CONTROL_PLANE, EDGE

EDGE_IDENTITY = "edge-identity"
MAIL = "mail"
# What every process of the mesh is made from beside its own package; an edit starts it anew.
SHARED = ("mesh", "build/stubs.lock", "build/descriptors.binpb")
# As long as a service drains, and some more.
STOP_SECONDS = 20


def python_path(runtime: Runtime, components: Components) -> str:
    """Where our processes import from: the checkout, the generated stubs and Envoy's messages."""
    return os.pathsep.join(map(str, (runtime.checkout, runtime.checkout / "build" / "stubs", components.xds_protos)))


def mail_folder(runtime: Runtime) -> Path:
    """Where the messages are."""
    return runtime.root / MAIL


def mail(runtime: Runtime) -> Program:
    """Say how the mail sink is started."""
    port = runtime.port(MAIL, "smtp")
    module = "deploy.native.mail_sink"
    return Program(
        name=MAIL,
        command=(sys.executable, "-m", module, "--port", str(port), "--folder", mail_folder(runtime)),
        stage=Stage.INFRASTRUCTURE,
        ports=(port,),
        inputs=(runtime.checkout / "deploy" / "native" / "mail_sink.py",),
    )


def services(runtime: Runtime) -> list[Program]:
    """List the instances of every service that has been written; the first has the service's plain name."""
    return [
        _instance(runtime, name, f"services.{name}", index, Stage.SERVICE)
        for name, service in runtime.topology.services.items()
        if (runtime.checkout / "services" / name / "__main__.py").exists()
        for index in range(service.instances)
    ]


def control_planes(runtime: Runtime) -> list[Program]:
    """List the replicas of the control plane."""
    return [
        _instance(runtime, CONTROL_PLANE, "mesh.control_plane", index, Stage.CONTROL_PLANE)
        for index in range(runtime.topology.mesh.control_plane_replicas)
    ]


def edge_identity(runtime: Runtime) -> Program:
    """Say how the edge's Envoy is kept a certificate and told what is revoked: it can use both, and ask for neither."""
    return Program(
        name=EDGE_IDENTITY,
        command=(sys.executable, "-m", "gateway.companion"),
        # The edge needs it as it needs the control plane.
        stage=Stage.CONTROL_PLANE,
        ports=(runtime.port(EDGE, "metrics"),),
        environment={"ORDERMESH_ENV_FILE": str(runtime.env_file(EDGE))},
        inputs=(
            *(runtime.checkout / path for path in (*SHARED, "gateway")),
            runtime.env_file(EDGE),
            certificates.consul_authority(runtime),
        ),
        identity=runtime.identity(EDGE),
    )


def _instance(runtime: Runtime, name: str, module: str, index: int, stage: Stage) -> Program:
    ports = tuple(runtime.port(name, kind) + index for kind in ("grpc", "metrics"))
    own = f"{name}-{index}" if index else name
    identity = runtime.identity(own)
    moved = {
        "ORDERMESH_PORT": str(ports[0]),
        "ORDERMESH_METRICS_PORT": str(ports[1]),
        "ORDERMESH_IDENTITY_FOLDER": str(identity),
    }
    package = runtime.checkout.joinpath(*module.split("."))
    sources = [package, *(runtime.checkout / path for path in SHARED)]
    sources.append(certificates.consul_authority(runtime))
    if stage is Stage.SERVICE:
        sources += [runtime.checkout / "services" / "common", certificates.data_authority(runtime)]
    return Program(
        name=name if stage is Stage.SERVICE and index == 0 else f"{name}-{index}",
        command=(sys.executable, "-m", module),
        stage=stage,
        ports=ports,
        environment={"ORDERMESH_ENV_FILE": str(runtime.env_file(name)), **(moved if index else {})},
        inputs=(*sources, runtime.env_file(name)),
        identity=identity,
        stop_seconds=STOP_SECONDS,
    )
