"""`make policy`: the traffic policy of each service, where each value comes from, and what is rejected and why.

`make policy s=order set=canary.json` puts a document in force once it is known to be good; `check=` only tells, and
`do=reset` takes it away. `_default` is the name of the document about every service.
"""

from collections.abc import Iterator, Sequence

from consul import Consul

from deploy.native import command_line
from deploy.native.documents import Folder, add_verbs, follow_verb, leaves
from deploy.native.errors import StackError
from deploy.native.provision.consul import client_of
from deploy.native.runtime import Runtime
from mesh.contract import Contract
from mesh.control_plane.methods import methods_of
from mesh.control_plane.policy import DEFAULT, DEFAULTS, Documents, Methods, Policies, accept, judge
from mesh.documents import POLICY


def command(argv: Sequence[str]) -> None:
    """Show what is in force, or change it."""
    parser = command_line.parser("policy", __doc__)
    add_verbs(parser)
    options = parser.parse_args(argv)
    methods = known_methods()
    documents = folder(client_of(command_line.this_stack()), methods)
    if follow_verb(documents, options):
        return
    found = policies(documents, methods)
    if options.service and options.service not in methods:
        raise StackError(f"no contract knows a service {options.service}; there are {', '.join(sorted(methods))}")
    lines = of_one(options.service, found) if options.service else of_all(methods, found)
    print("\n".join([*lines, *rejections(found)]))


def known_methods() -> Methods:
    """Read the services and their methods from the contracts. Raises StackError."""
    try:
        return methods_of(Contract.load())
    except FileNotFoundError as error:
        raise StackError(f"{error.filename} is missing; make proto writes it") from error


def folder(client: Consul, methods: Methods) -> Folder:
    """Find the documents, each held to what the control plane would accept."""
    return Folder(client, POLICY, lambda name, content: accept(name, content, methods))


def policies(documents: Folder, methods: Methods) -> Policies:
    """Judge what is in Consul as a control plane does that starts now."""
    return judge(Policies(), Documents(1, documents.read()), methods)


def of_one(service: str, found: Policies) -> Iterator[str]:
    """Write all values of a service."""
    yield service
    yield from _table(list(_values(service, found)))


def of_all(methods: Methods, found: Policies) -> Iterator[str]:
    """Write the defaults, and of each service what differs from them."""
    yield "what holds where nothing else is said"
    yield from _table([(path, value, DEFAULT) for path, value in leaves(DEFAULTS)])
    for service in sorted(methods):
        own = [line for line in _values(service, found) if line[2] != DEFAULT]
        yield f"{service}{'' if own else ': as above'}"
        yield from _table(own)


def rejections(found: Policies) -> Iterator[str]:
    """Say which documents are not in force."""
    for document, reason in found.rejected.items():
        yield f"REJECTED {POLICY}{document}: {reason}"
        yield "         replicas that saw a good version of it go on with that one; make policy s=… set=… mends it"


def complaints(runtime: Runtime) -> list[str]:
    """Say for `make status` which documents are rejected; nothing when Consul is away, which has its own line."""
    try:
        methods = known_methods()
        return list(rejections(policies(folder(client_of(runtime), methods), methods)))
    except StackError:
        return []


def drills(methods: Methods, found: Policies) -> Iterator[str]:
    """Name the services whose callers meet failures that are made on purpose."""
    return (service for service in sorted(methods) if found.of(service).faults)


def _values(service: str, found: Policies) -> Iterator[tuple[str, str, str]]:
    """Give each value of the effective policy with the layer that it comes from."""
    origin = {path: layer for layer, message in found.layers(service) for path, _ in leaves(message)}
    for path, value in leaves(found.of(service)):
        yield path, value, origin[path]


def _table(rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    for path, value, layer in rows:
        yield f"  {path.ljust(widths[0])}  {value.ljust(widths[1])}  {layer}"
