"""Every reason that an error over REST may have, read from the code that gives it, for the API page.

A reason is given where an error of mesh.errors is made, or by a class of errors; its sentence is the message there, or
the first of the class's docstring. The code is read as text: nothing of a service is imported.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.errors import MESSAGES, REFUSALS, REVOKED
from gateway.problems import title
from mesh import errors

CHECKOUT = Path(__file__).resolve().parents[1]
# What a call over REST passes on its way to a service; the rest of the mesh answers operators and programs.
MESH = ("admission", "gate", "validation", "visit", "client")
KINDS = {kind.__name__: kind for kind in errors.Error.__subclasses__()}
EDGE = "edge"
# google/rpc/code.proto has the mapping, and the transcoder follows it.
HTTP = {
    "CANCELLED": 499, "INVALID_ARGUMENT": 400, "DEADLINE_EXCEEDED": 504, "NOT_FOUND": 404, "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403, "RESOURCE_EXHAUSTED": 429, "FAILED_PRECONDITION": 400, "ABORTED": 409,
    "OUT_OF_RANGE": 400, "UNIMPLEMENTED": 501, "INTERNAL": 500, "UNAVAILABLE": 503, "UNAUTHENTICATED": 401,
}  # fmt: skip
ANYWHERE = "any service"
# What a message says only when it is made.
FILLED_IN = "…"


@dataclass(frozen=True, order=True)
class Reason:
    """One reason of one code: who gives it, and when."""

    name: str
    status: int
    code: str
    source: str
    sentence: str


def reasons() -> list[Reason]:
    """List them, each once for each status; one that several services give belongs to any."""
    found: dict[tuple[str, int], Reason] = {}
    for reason in sorted([*_of_edge(), *_of_code()]):
        known = found.setdefault((reason.name, reason.status), reason)
        if known.source != reason.source:
            found[reason.name, reason.status] = replace(known, source=ANYWHERE)
    return sorted(found.values())


def _of_edge() -> Iterator[Reason]:
    for status, (code, name) in REFUSALS.items():
        words = MESSAGES.get(status, "")
        yield Reason(name, status, code, EDGE, title(name) if "%" in words else words or title(name))
    reason, words = REVOKED
    yield Reason(reason, 401, "UNAUTHENTICATED", EDGE, words)


def _of_code() -> Iterator[Reason]:
    for file in sorted((CHECKOUT / "services").rglob("*.py")):
        name = file.relative_to(CHECKOUT / "services").parts[0]
        yield from _of_file(file, ANYWHERE if name == "common" else name)
    for name in MESH:
        yield from _of_file(CHECKOUT / "mesh" / f"{name}.py", ANYWHERE)


def _of_file(file: Path, source: str) -> Iterator[Reason]:
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and (kind := _kind(node.bases[0] if node.bases else None)):
            sentence = (ast.get_docstring(node) or "").partition("\n\n")[0].replace("\n", " ")
            calls = (each for each in ast.walk(node) if isinstance(each, ast.Call))
            yield from (_reason(name, kind, source, sentence) for call in calls if (name := _named(call)))
        elif isinstance(node, ast.Call) and (kind := _kind(node.func)) and (name := _named(node)):
            yield _reason(name, kind, source, _words(node.args[0]) if node.args else "")


def _reason(name: str, kind: type[errors.Error], source: str, sentence: str) -> Reason:
    says_something = sentence.replace(FILLED_IN, "").strip(": ")
    return Reason(name, HTTP[kind.code], kind.code, source, sentence if says_something else title(name))


def _kind(node: ast.expr | None) -> type[errors.Error] | None:
    """The class of mesh.errors that is named, as in errors.NotFound."""
    named = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "errors"
    return KINDS.get(node.attr) if named and isinstance(node, ast.Attribute) else None


def _named(call: ast.Call) -> str:
    """The constant that is the reason, or nothing."""
    for each in call.keywords:
        if each.arg == "reason" and isinstance(each.value, ast.Constant):
            return str(each.value.value)
    return ""


def _words(message: ast.expr) -> str:
    """The message, with dots for what is filled in."""
    if isinstance(message, ast.JoinedStr):
        parts = (str(part.value) if isinstance(part, ast.Constant) else FILLED_IN for part in message.values)
        return "".join(parts)
    return str(message.value) if isinstance(message, ast.Constant) else ""
