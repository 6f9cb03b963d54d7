"""`make join` and `make leave`: let a service of another team into the mesh with one file of settings, or out again."""

import re
from collections.abc import Sequence

from deploy.native import command_line, members, secrets
from deploy.native.errors import StackError
from deploy.native.members import Members
from deploy.native.provision import consul, environment, intentions
from deploy.native.runtime import Runtime
from deploy.native.secrets import CONTROL_PLANE, EDGE, OPERATOR

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
RESERVED = (secrets.AGENT, CONTROL_PLANE, EDGE, OPERATOR, "consul", "mesh")
GUESTS = "guests"


def command(argv: Sequence[str]) -> None:
    """Let a service in, change what it may call, or let it out."""
    parser = command_line.parser("join", __doc__)
    parser.add_argument("service", help="its name in the mesh: the last part of its package that is no version")
    parser.add_argument("--calls", default="", help="services that it may call, with commas between")
    parser.add_argument("--leave", action="store_true", help="take everything back")
    options = parser.parse_args(argv)
    runtime = command_line.this_stack()
    calls = tuple(sorted(filter(None, options.calls.split(","))))
    done = leave(runtime, options.service) if options.leave else join(runtime, options.service, calls)
    print("\n".join(done))


def join(runtime: Runtime, name: str, calls: tuple[str, ...]) -> list[str]:
    """Make its token, policy, intentions and settings. Raises StackError for a name that can't be had."""
    known = members.read(runtime.root)
    _require_good(runtime, known, name, calls)
    first = runtime.port(GUESTS, "grpc"), runtime.port(GUESTS, "metrics")
    members.write(runtime.root, members.joined(known, name, calls, first))
    environment.member(runtime, name)
    done = [consul(runtime), intentions(runtime)]
    return [*done, f"{name} joins with ORDERMESH_ENV_FILE={runtime.env_file(name)}"]


def leave(runtime: Runtime, name: str) -> list[str]:
    """Take back what `join` made. Its certificate ends by itself; without an intention it opens nothing."""
    known = members.read(runtime.root)
    if name not in known:
        raise StackError(f"no {name} has joined; there is {', '.join(sorted(known)) or 'nobody'}")
    members.write(runtime.root, {other: member for other, member in known.items() if other != name})
    done = [consul(runtime), intentions(runtime)]
    runtime.env_file(name).unlink(missing_ok=True)
    return [*done, f"{name} has left"]


def _require_good(runtime: Runtime, known: Members, name: str, calls: tuple[str, ...]) -> None:
    services = runtime.topology.services
    if not NAME.fullmatch(name) or name in services or name in RESERVED:
        raise StackError(f"{name!r} can't join: a name has small letters, digits and hyphens, and is not taken")
    if unknown := set(calls) - services.keys() - known.keys():
        raise StackError(f"nobody is called {' or '.join(sorted(unknown))}; there is {', '.join(services)}")
