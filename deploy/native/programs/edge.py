"""Envoy at the edge; what it does is gateway's to say, and written by deploy.native.provision."""

from deploy.native.components import Components
from deploy.native.programs.program import Program, Stage
from deploy.native.runtime import Runtime

NAME = "edge"
BOOTSTRAP = "bootstrap.json"
PORTS = ("http", "https", "keys", "admin")
# It accepts connections on as many threads; the default is one for each core of the machine.
CONCURRENCY = 2
FLUSH_LOG_MS = 500


def program(runtime: Runtime, components: Components) -> Program:
    """Say how it is started. Without --disable-hot-restart it would stop with whoever started it."""
    folder = runtime.config(NAME)
    options = ("--disable-hot-restart", "--concurrency", str(CONCURRENCY))
    logging = ("--log-level", "warning", "--file-flush-interval-msec", str(FLUSH_LOG_MS))
    return Program(
        name=NAME,
        command=(components.envoy, "-c", folder / BOOTSTRAP, *options, *logging),
        stage=Stage.EDGE,
        ports=tuple(runtime.port(NAME, port) for port in PORTS),
        inputs=(folder, runtime.config("tls") / "edge.pem", runtime.checkout / "build" / "descriptors.binpb"),
    )
