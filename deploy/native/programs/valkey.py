"""Valkey: a cache of a fixed size that keeps nothing on disk, behind a socket that only its owner may open.

Each service that may use it has a user of its own, whose keys and channels begin with the service's name.
"""

import hashlib
from pathlib import Path

from deploy.native.components import Components
from deploy.native.errors import StackError
from deploy.native.programs.program import Program, Stage
from deploy.native.rendering import keep, render
from deploy.native.runtime import Runtime
from deploy.native.secrets import Secrets

NAME = "valkey"
SETTINGS = "valkey.conf"
USERS = "users.acl"
# What the kernel has room for in the name of a socket (unix(7)), less the byte that ends it.
LONGEST_NAME = 107
# Commands that look at keys without naming them would tell of the keys of others.
COMMANDS = "-@all +@connection +@read +@write +@transaction +@pubsub -@dangerous -scan -randomkey -dbsize"


def program(runtime: Runtime, components: Components) -> Program:
    """Say how it is started."""
    config = runtime.config(NAME)
    return Program(
        name=NAME,
        command=(components.valkey_server, config / SETTINGS),
        stage=Stage.INFRASTRUCTURE,
        socket=socket(runtime),
        inputs=(config / SETTINGS, config / USERS),
    )


def configure(runtime: Runtime, kept: Secrets) -> None:
    """Write its settings and users, and make the folder that it works in."""
    if len(str(socket(runtime))) > LONGEST_NAME:
        raise StackError(f"{socket(runtime)} is too long a name for a socket; set ORDERMESH_RUN to a shorter folder")
    data, config = runtime.data(NAME), runtime.config(NAME)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    keep(config / USERS, users(runtime, kept))
    keep(config / SETTINGS, render(f"valkey/{SETTINGS}", socket=socket(runtime), users=config / USERS, data=data))


def socket(runtime: Runtime) -> Path:
    """Where it listens."""
    return runtime.data(NAME) / "valkey.sock"


def users(runtime: Runtime, kept: Secrets) -> str:
    """List who may do what; whoever is not listed may do nothing. Of passwords only the digests are told."""
    lines = ["user default off nopass -@all"]
    for name, service in runtime.topology.services.items():
        if service.caches:
            digest = hashlib.sha256(kept.valkey_passwords[name].encode()).hexdigest()
            lines.append(f"user {name} on #{digest} ~{name}:* resetchannels &{name}:* {COMMANDS}")
    return "\n".join(lines) + "\n"
