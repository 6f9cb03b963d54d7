"""The commands of the native stack, as the Makefile calls them: python -m deploy.native COMMAND."""

import importlib
import os
import sys
from collections.abc import Mapping, Sequence

from deploy.native.errors import StackError

INTERRUPTED = 130
# Modules with a `command`, imported when they are called: what one needs, such as the edge, others can do without.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "up": ("up", "install, start and provision everything, then place an order"),
    "down": ("down", "stop everything; the data stays"),
    "status": ("status", "how every program is, and the memory it takes"),
    "mesh": ("mesh", "what every process of the mesh believes"),
    "logs": ("logs", "the log of a program"),
    "join": ("join", "let a service of another team into the mesh, or out again"),
    "policy": ("policy", "the traffic policy of each service: look, check, set, reset"),
    "settings": ("service_settings", "what running services are told: log level, flags"),
    "doctor": ("doctor", "look for what keeps the stack from working, and say what to do"),
    "audit": ("audit", "whether orders, stock, money and events agree"),
    "republish": ("republish", "events that Kafka does not have are published again"),
    "events": ("events", "the events of a topic, decoded"),
    "sql": ("sql", "one statement in a service's database"),
    "demo": ("demo", "place an order as a customer would"),
    "personal-data": ("personal_data", "all that is known of a person: exported or erased"),
    "edge-config": ("edge_config", "what the edge is told, and whether Envoy takes it"),
    "edge-restart": ("reloading", "put a new Envoy in the place of the old one, without a pause"),
    "install": ("components", "download and build components into the cache"),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command that is named first; a StackError is told without a traceback."""
    name, *rest = (sys.argv[1:] if argv is None else argv) or [""]
    if name not in COMMANDS:
        sys.exit(usage())
    module = importlib.import_module(f"deploy.native.{COMMANDS[name][0]}")
    try:
        module.command(rest)
    except StackError as error:
        leave(f"error: {error}", 1)
    except KeyboardInterrupt:
        leave("interrupted", INTERRUPTED)
    except BrokenPipeError:  # Whoever reads us has seen enough.
        os._exit(0)


def usage() -> str:
    """List the commands."""
    lines = [f"  {name:8} {purpose}" for name, (_, purpose) in COMMANDS.items()]
    return "\n".join(["usage: python -m deploy.native COMMAND …", *lines])


def leave(message: str, code: int) -> None:
    """End at once: steps that still wait in their threads would keep us for a minute."""
    sys.stdout.flush()
    print(message, file=sys.stderr, flush=True)
    os._exit(code)
