"""How a person reads the report: tables of all, or one service in detail."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence

from mesh.headers import EDGE
from mesh.operator import beliefs
from mesh.operator.beliefs import Belief
from mesh.operator.edge import Edge
from mesh.operator.report import Report
from mesh.operator.survey import Member
from ordermesh.mesh.v1.introspection_service_pb2 import Intention, Peer, Permission, Process

Row = Sequence[str]

NOTHING = "-"
SILENT = "can't be asked"
PROCESSES = ("process", "version", "zone", "health", "up", "identity", "ends in", "serial", "calls, and finds well")
CALLS = ("process", "may be called by", "was called by")
UNITS = (("d", 86400), ("h", 3600), ("min", 60))


def overview(report: Report) -> str:
    """Lay out who there is, who calls whom, and what is not as it should be."""
    own = (_process(each, report.now) for each in report.members)
    edges = (_edge(each, report.now) for each in report.edges)
    calls = (_calls(each.registered.instance, each.process, report.now) for each in report.members if each.process)
    blocks = [table([PROCESSES, *own, *edges]), table([CALLS, *calls])]
    return "\n\n".join([*blocks, "\n".join(report.troubles()) or "Everybody agrees with Consul."])


def detail(report: Report, service: str) -> str:
    """Tell all about the instances of one service."""
    found = [_about(each, report.now) for each in report.members if each.registered.service == service]
    found += [_about_edge(each) for each in report.edges if service == EDGE]
    return "\n\n".join("\n  ".join(lines) for lines in found) or f"nobody is called {service}"


def table(rows: Iterable[Row]) -> str:
    """Align columns."""
    cells = list(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    aligned = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in aligned)


def span(length: dt.timedelta) -> str:
    """Write a length of time in the largest unit of which there are two."""
    seconds = max(int(length.total_seconds()), 0)
    return next((f"{seconds // size} {unit}" for unit, size in UNITS if seconds >= 2 * size), f"{seconds} s")


def _process(member: Member, now: dt.datetime) -> Row:
    there, process = member.registered, member.process
    known = (there.instance, there.version or NOTHING, there.zone or NOTHING, there.health)
    if process is None:
        return (*known, NOTHING, NOTHING, NOTHING, NOTHING, SILENT)
    shown = process.identity
    up, left = now - process.start_time.ToDatetime(dt.UTC), shown.end_time.ToDatetime(dt.UTC) - now
    return (*known, span(up), _short(shown.spiffe_id), span(left), shown.serial, _believed(beliefs.of(process)))


def _edge(edge: Edge, now: dt.datetime) -> Row:
    shown = edge.shown
    own = (_short(shown.spiffe_id), span(shown.end - now), shown.serial) if shown else (NOTHING,) * 3
    return (edge.name, *(NOTHING,) * 4, *own, SILENT if edge.failure else _believed(edge.beliefs))


def _calls(instance: str, process: Process, now: dt.datetime) -> Row:
    allowed = ", ".join(each.source for each in process.intentions if _lets_in(each))
    called = "; ".join(_visits(each, now) for each in process.peers)
    return (instance, allowed or NOTHING, called or NOTHING)


def _visits(peer: Peer, now: dt.datetime) -> str:
    refused = f", refused {peer.refused}x" if peer.refused else ""
    last = span(now - peer.last_time.ToDatetime(dt.UTC))
    return f"{peer.service or 'a stranger'} {peer.admitted}x{refused}, {last} ago"


def _about(member: Member, now: dt.datetime) -> list[str]:
    there, process = member.registered, member.process
    lines = [f"{there.instance} at {there.address}: {there.health}", *there.reasons]
    if process is None:
        return [*lines, f"{SILENT}: {member.failure}"]
    shown = process.identity
    return [
        *lines,
        f"version {process.version}, zone {process.zone or NOTHING}, since {process.start_time.ToJsonString()}",
        f"is {shown.spiffe_id}",
        f"certificate {shown.serial} until {shown.end_time.ToJsonString()}, due {shown.renew_time.ToJsonString()}",
        *(f"needs {each.name}: {each.complaint or 'well'}" for each in process.dependencies),
        *_intentions(process),
        *(f"was called by {_visits(each, now)}: {each.last_method}" for each in process.peers),
        *(line for each in beliefs.of(process) for line in _belief(each)),
        *(f"tells {each.node}" for each in process.control_plane.subscribers),
    ]


def _about_edge(edge: Edge) -> list[str]:
    if edge.failure or not edge.shown:
        return [edge.name, f"{SILENT}: {edge.failure}"]
    own = [f"is {edge.shown.spiffe_id}", f"certificate {edge.shown.serial} until {edge.shown.end.isoformat()}"]
    return [edge.name, *own, *(line for each in edge.beliefs for line in _belief(each))]


def _intentions(process: Process) -> Iterator[str]:
    for each in process.intentions:
        for permission in each.permissions:
            verb = "lets" if permission.allowed else "keeps"
            yield f"{verb} {each.source}: {permission.path or permission.prefix or '/'}{_for_whom(permission)}"
        if each.allowed or not each.permissions:
            yield f"{'lets' if each.allowed else 'keeps'} {each.source}: / for itself"


def _for_whom(permission: Permission) -> str:
    if not permission.HasField("for_users"):
        return ""
    return " for users" if permission.for_users else " for itself"


def _lets_in(intention: Intention) -> bool:
    """Whether it is about more than single methods, as an operator's is."""
    return intention.allowed or any(each.allowed and not each.path for each in intention.permissions)


def _belief(each: Belief) -> Iterator[str]:
    yield f"believes {each.kind} {each.name}: {each.state} {each.version} {each.refusal}".rstrip()
    for endpoint in each.endpoints:
        yield f"  {endpoint.address} {endpoint.zone or NOTHING} {endpoint.health.lower()}"


def _believed(told: Iterable[Belief]) -> str:
    lists = (each for each in told if each.kind == beliefs.ENDPOINTS)
    return ", ".join(f"{each.name} {len(each.healthy)}/{len(each.endpoints)}" for each in lists) or NOTHING


def _short(spiffe_id: str) -> str:
    return spiffe_id.rpartition("/")[2]
