"""`make settings`: what running services are told: log level, share of traces recorded, feature flags.

`make log-level s=order l=debug` and `make flag s=order f=name v=true` change one of them; without `l` or `v` it is
again as at the start. `set=file.json`, `check=` and `do=reset` are about the whole document.
"""

import argparse
import json
from collections.abc import Iterator, Sequence

from consul import Consul
from google.protobuf import json_format

from deploy.native import command_line
from deploy.native.documents import Folder, add_verbs, follow_verb, leaves
from deploy.native.errors import StackError
from deploy.native.provision.consul import client_of
from deploy.native.secrets import CONTROL_PLANE
from mesh import documents, errors
from ordermesh.mesh.v1.service_settings_pb2 import LogLevel, ServiceSettings


def command(argv: Sequence[str]) -> None:
    """Show what services are told, or change it."""
    parser = command_line.parser("settings", __doc__)
    add_verbs(parser)
    parser.add_argument("--log-level", metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR; empty as at the start")
    parser.add_argument("--flag", metavar="NAME=VALUE", help="the value is JSON or a text; empty as the default")
    options = parser.parse_args(argv)
    runtime = command_line.this_stack()
    known = [*runtime.topology.services, CONTROL_PLANE]
    found = folder(client_of(runtime), known)
    if not follow_verb(found, options) and not change(found, options):
        print("\n".join(lines([options.service] if options.service else known, found)))


def folder(client: Consul, known: Sequence[str]) -> Folder:
    """Find the documents of those who follow one, each held to the contract."""

    def judge(name: str, content: bytes) -> object:
        if name not in known:
            raise errors.InvalidArgument(f"nobody is called {name}; there are {', '.join(known)}")
        return documents.read(ServiceSettings, content)

    return Folder(client, documents.SETTINGS, judge)


def lines(names: Sequence[str], found: Folder) -> Iterator[str]:
    """Write what each is told."""
    written = found.read()
    for name in names:
        if name not in written:
            yield f"{name}: as it was started"
            continue
        yield name
        try:
            yield from (f"  {path} = {value}" for path, value in leaves(documents.read(ServiceSettings, written[name])))
        except errors.InvalidArgument as refusal:
            yield f"  REJECTED, the last good settings hold: {documents.complaint(refusal)}"


def change(found: Folder, options: argparse.Namespace) -> bool:
    """Change a level or a flag as the options ask for; whether they asked for one."""
    if options.log_level is None and options.flag is None:
        return False
    if not options.service:
        raise StackError("which service? s=order")
    found.change(options.service, lambda before: _changed(before, options))
    print(f"{found.prefix}{options.service} is set; it holds in a moment")
    return True


def _changed(before: bytes, options: argparse.Namespace) -> bytes:
    try:
        settings = documents.read(ServiceSettings, before or b"{}")
    except errors.InvalidArgument as refusal:
        raise StackError(
            f"what is there is rejected: {documents.complaint(refusal)}; begin anew with do=reset"
        ) from refusal
    if options.log_level is not None:
        settings.log_level = _level(options.log_level)
    if options.flag is not None:
        _set_flag(settings, options.flag)
    return json_format.MessageToJson(settings).encode()


def _level(name: str) -> LogLevel.ValueType:
    try:
        return LogLevel.Value(name.upper()) if name else LogLevel.LOG_LEVEL_UNSPECIFIED
    except ValueError:
        raise StackError(f"no level {name}; there are DEBUG, INFO, WARNING and ERROR") from None


def _set_flag(settings: ServiceSettings, assignment: str) -> None:
    name, equals, text = assignment.partition("=")
    if not (name and equals):
        raise StackError("a flag is set by NAME=VALUE")
    if not text:
        settings.flags.pop(name, None)
        return
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    json_format.ParseDict(value, settings.flags[name])
