"""Envoy at the edge; what it does is gateway's to say, and written by deploy.native.provision."""

import sys

from deploy.native.components import Components
from deploy.native.programs.program import Program, Stage
from deploy.native.runtime import Runtime

NAME = "edge"
BOOTSTRAP = "bootstrap.json"
PORTS = ("http", "https", "keys", "admin")
# How long an Envoy that was replaced may take to say goodbye on its connections, and when it ends: watches begin again.
DRAIN_S, LEAVE_S = 10, 15
# It accepts connections on as many threads; the default is one for each core of the machine.
CONCURRENCY = 2
FLUSH_LOG_MS = 500


def program(runtime: Runtime, components: Components) -> Program:
    """Say how it is started: by what can put a new one in its place, which takes over on SIGHUP."""
    folder = runtime.config(NAME)
    wrapper = (sys.executable, "-m", "deploy.native.hot_restart", runtime.data(NAME) / "base-id")
    leaving = ("--drain-time-s", str(DRAIN_S), "--parent-shutdown-time-s", str(LEAVE_S))
    options = ("--concurrency", str(CONCURRENCY), *leaving)
    logging = ("--log-level", "warning", "--file-flush-interval-msec", str(FLUSH_LOG_MS))
    return Program(
        name=NAME,
        command=(*wrapper, components.envoy, "-c", folder / BOOTSTRAP, *options, *logging),
        stage=Stage.EDGE,
        ports=tuple(runtime.port(NAME, port) for port in PORTS),
        inputs=(runtime.checkout / "deploy" / "native" / "hot_restart.py",),
        reloads=(folder, runtime.config("tls") / "edge.pem", runtime.checkout / "build" / "descriptors.binpb"),
    )
