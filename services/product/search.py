"""Reads what people type into a search box, and words it for PostgreSQL. Pure.

Both sides of a search are reduced to the same words first, so that `TEE-01`, `tee_01` and `Tee 01` find each other.
"""

import re
from dataclasses import dataclass

from services.product.domain import words

_TERM = re.compile(r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)"?|(?P<plain>[^\s"]+))')
_EITHER = "or"


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for: `terms` for websearch_to_tsquery, and `beginning` for to_tsquery; products have both."""

    terms: str
    beginning: str

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self.terms or self.beginning)


@dataclass(frozen=True, slots=True)
class _Term:
    words: list[str]
    wanted: bool
    quoted: bool

    @property
    def says_either(self) -> bool:
        return self.wanted and not self.quoted and self.words == [_EITHER]

    @property
    def may_go_on(self) -> bool:
        return self.wanted and not self.quoted

    def __str__(self) -> str:
        return f'{"" if self.wanted else "-"}"{" ".join(self.words)}"'


def read(query: str) -> Search:
    """Read words, "phrases", `or` and -exclusions. The last word may be the beginning of one, unless there is an `or`.

    Nothing but words comes out of it, whatever goes in, so no query is an error.
    """
    terms = [term for term in map(_term, _TERM.finditer(query)) if term.words]
    if any(term.says_either for term in terms[1:-1]):
        return Search(" ".join(map(_with_either, terms)), "")
    if terms and terms[-1].may_go_on:
        return Search(" ".join(map(str, terms[:-1])), " <-> ".join(terms[-1].words) + ":*")
    return Search(" ".join(map(str, terms)), "")


def _term(found: re.Match[str]) -> _Term:
    plain = found["plain"]
    return _Term(words(plain or found["phrase"] or ""), wanted=not found["minus"], quoted=plain is None)


def _with_either(term: _Term) -> str:
    return _EITHER if term.says_either else str(term)
