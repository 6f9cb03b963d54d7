"""Which services may call this one: Consul's intentions, followed by blocking queries. What is not allowed is denied.

They are read from the service's own `service-intentions` entry: by source, for all methods or for single ones, for the
source itself or also for users. While Consul is away the last ones hold; before the first answer nobody is let in, and
the process isn't healthy.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh import headers
from mesh.blocking_queries import keep_following
from mesh.settings import MeshSettings
from mesh.telemetry import get_logger

_log = get_logger(__name__)

ANYBODY = "*"
ALLOW = "allow"
JUDGED = {"PathExact", "PathPrefix", "Header"}
"""Of Consul's conditions on a call, those that are judged here."""

Entry = Mapping[str, Any]


class IntentionsUnknownError(Exception):
    """Consul has not been heard yet."""


@dataclass(frozen=True, slots=True)
class Permission:
    """What may be done with some calls: of a method, of those below a prefix, or of all.

    `with_claims` says whether it speaks of calls for a user (True), of others (False), or doesn't tell them apart.
    `understood` is False for one with conditions that we don't judge.
    """

    allowed: bool
    path: str = ""
    prefix: str = ""
    with_claims: bool | None = None
    understood: bool = True

    def matches(self, method: str, *, for_user: bool) -> bool:
        """Whether it speaks of such a call. One that isn't understood allows nothing, and denies all it may mean."""
        if (self.path and self.path != method) or not method.startswith(self.prefix):
            return False
        if not self.understood:
            return not self.allowed
        return self.with_claims in (None, for_user)


@dataclass(frozen=True, slots=True)
class Rule:
    """What one source may do: the first permission that speaks of a call decides, and without one `allowed`."""

    allowed: bool = False
    permissions: tuple[Permission, ...] = ()

    def allows(self, method: str, *, for_user: bool = False) -> bool:
        """Whether a method, `/package.Service/Method`, may be called.

        For a user, only what names the header of their claims allows it: to let a service in is not to believe whatever
        it says about users.
        """
        for each in self.permissions:
            if each.matches(method, for_user=for_user):
                return each.allowed and (not for_user or each.with_claims is True)
        return self.allowed and not for_user


FOR_USERS = Rule(permissions=(Permission(allowed=True, with_claims=True), Permission(allowed=True)))
"""Everything, for users and for itself."""


class Intentions:
    """The rules in force."""

    def __init__(self, rules: Mapping[str, Rule] | None = None) -> None:
        """Without `rules`, nothing is known yet."""
        self._rules = rules

    @property
    def rules(self) -> Mapping[str, Rule]:
        """The rules by source; none before Consul was heard."""
        return self._rules or {}

    @property
    def known(self) -> bool:
        """Whether Consul was heard."""
        return self._rules is not None

    def allow(self, source: str, method: str, *, for_user: bool = False) -> bool:
        """Whether `source` may call the method. A rule for a source goes before the one for anybody."""
        rule = self.rules.get(source) or self.rules.get(ANYBODY)
        return rule is not None and rule.allows(method, for_user=for_user)

    async def check(self) -> None:
        """Raise IntentionsUnknownError until Consul was heard."""
        if not self.known:
            raise IntentionsUnknownError

    async def keep(self, settings: MeshSettings, stop: asyncio.Event) -> None:
        """Follow Consul until stopped."""
        path = f"/v1/config/service-intentions/{settings.service}"
        await keep_following(settings, path, self._hear, stop, missing={})

    def _hear(self, entry: Entry) -> None:
        self._rules = {source["Name"]: rule_of(source) for source in entry.get("Sources") or ()}
        _log.info("intentions", sources=sorted(self._rules))
        for source, rule in self._rules.items():
            if not all(each.understood for each in rule.permissions):
                _log.warning("an intention has conditions that are not judged here; it lets nobody in", source=source)


def rule_of(source: Entry) -> Rule:
    """Read what an entry of Consul says about one source."""
    permissions: Sequence[Entry] = source.get("Permissions") or ()
    return Rule(source.get("Action") == ALLOW, tuple(_permission(each) for each in permissions))


def _permission(entry: Entry) -> Permission:
    http = entry.get("HTTP") or {}
    conditions: Sequence[Entry] = http.get("Header") or ()
    claims = [not each.get("Invert", False) for each in conditions if _about_claims(each)]
    return Permission(
        allowed=entry["Action"] == ALLOW,
        path=http.get("PathExact", ""),
        prefix=http.get("PathPrefix", ""),
        with_claims=claims[0] if claims else None,
        understood=len(claims) == len(conditions) <= 1 and http.keys() <= JUDGED and entry.keys() <= {"Action", "HTTP"},
    )


def _about_claims(condition: Entry) -> bool:
    """Whether a condition on a header is one on the presence of claims, and nothing else."""
    return (
        str(condition["Name"]).lower() == headers.CLAIMS
        and condition.get("Present") is True
        and condition.keys() <= {"Name", "Present", "Invert"}
    )
