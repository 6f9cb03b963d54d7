"""From path templates of google.api.http, such as `/api/v1/orders/{id}:cancel`, to what Envoy matches paths with.

The grammar is that of google/api/http.proto: `{name}` and `*` stand for one segment, `**` for the rest, `{name=…}` for
what follows the sign, and `:verb` may end the path.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.envoy import Json

ONE_SEGMENT = "[^/:]+"
THE_REST = "[^:]+"

_PART = re.compile(r"\{(?P<name>[\w.]+)(?:=(?P<pattern>[^}]+))?\}|(?P<rest>\*\*)|(?P<one>\*)|(?P<text>[^{*]+)")
_WILD = re.compile(r"[{*]")


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """One template, which compares and hashes by its text."""

    text: str

    @property
    def is_literal(self) -> bool:
        """Whether the template stands for a single path."""
        return _WILD.search(self.text) is None

    @property
    def variables(self) -> tuple[str, ...]:
        """The fields that the path gives, in both of the spellings that JSON may use."""
        named = [part["name"] for part in _PART.finditer(self.text) if part["name"]]
        return tuple(dict.fromkeys(spelling for name in named for spelling in (name, _camel_case(name))))

    @property
    def regex(self) -> str:
        """The same in the syntax of RE2, for the whole of a path without its query."""
        return _regex(self.text)

    @property
    def match(self) -> Json:
        """The path part of Envoy's RouteMatch."""
        return {"path": self.text} if self.is_literal else {"safe_regex": {"regex": self.regex}}

    @property
    def precedence(self) -> tuple[bool, int, str]:
        """Sort key: literal paths first, then those that say more."""
        return (not self.is_literal, -len(_WILD.split(self.text)), self.text)


def query_regex(names: Iterable[str]) -> str:
    """Give the regex of a path whose query has one of these names, however its letters are escaped."""
    written = "|".join("".join(f"(?:{re.escape(letter)}|(?i:%{ord(letter):02x}))" for letter in name) for name in names)
    return rf"[^?]*\?(?:.*&)?(?:{written})(?:[=&].*)?"


def _camel_case(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def _regex(template: str) -> str:
    written = []
    position = 0
    for part in _PART.finditer(template):
        if part.start() != position:
            break
        position = part.end()
        written.append(_regex_of_part(part))
    if position != len(template):
        raise ValueError(f"{template!r} is no path template: see google/api/http.proto")
    return "".join(written)


def _regex_of_part(part: re.Match[str]) -> str:
    if part["text"]:
        return re.escape(part["text"])
    if part["pattern"]:
        return _regex(part["pattern"])
    return THE_REST if part["rest"] else ONE_SEGMENT
