"""Valkey: a cache of a fixed size that keeps nothing on disk."""

from deploy.native.components import Components
from deploy.native.programs.program import Program, Stage
from deploy.native.rendering import keep, render
from deploy.native.runtime import Runtime

NAME = "valkey"
SETTINGS = "valkey.conf"


def program(runtime: Runtime, components: Components) -> Program:
    """Say how it is started."""
    settings = runtime.config(NAME) / SETTINGS
    return Program(
        name=NAME,
        command=(components.valkey_server, settings),
        stage=Stage.INFRASTRUCTURE,
        ports=(runtime.port(NAME, "resp"),),
        inputs=(settings,),
    )


def configure(runtime: Runtime) -> None:
    """Write its settings and make the folder that it works in."""
    data = runtime.data(NAME)
    data.mkdir(parents=True, exist_ok=True)
    keep(runtime.config(NAME) / SETTINGS, render(f"valkey/{SETTINGS}", port=runtime.port(NAME, "resp"), data=data))
