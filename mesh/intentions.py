"""Which services may call this one: Consul's intentions, followed by blocking queries. What is not allowed is denied.

They are read from the service's own `service-intentions` entry: by source, for all methods or for single ones. While
Consul is away the last ones hold; before the first answer nobody is let in, and the process isn't healthy.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mesh.blocking_queries import keep_following
from mesh.settings import MeshSettings
from mesh.telemetry import get_logger

_log = get_logger(__name__)

ANYBODY = "*"
ALLOW = "allow"

Entry = Mapping[str, Any]


class IntentionsUnknownError(Exception):
    """Consul has not been heard yet."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one source may do: everything or nothing, unless a method has a word of its own."""

    allowed: bool
    methods: Mapping[str, bool] = field(default_factory=dict)

    def allows(self, method: str) -> bool:
        """Whether a method, `/package.Service/Method`, may be called."""
        return self.methods.get(method, self.allowed)


class Intentions:
    """The rules in force."""

    def __init__(self, rules: Mapping[str, Rule] | None = None) -> None:
        """Without `rules`, nothing is known yet."""
        self._rules = rules

    @property
    def rules(self) -> Mapping[str, Rule]:
        """The rules by source; none before Consul was heard."""
        return self._rules or {}

    def allow(self, source: str, method: str) -> bool:
        """Whether `source` may call the method. A rule for a source goes before the one for anybody."""
        rule = self.rules.get(source) or self.rules.get(ANYBODY)
        return rule is not None and rule.allows(method)

    async def check(self) -> None:
        """Raise IntentionsUnknownError until Consul was heard."""
        if self._rules is None:
            raise IntentionsUnknownError

    async def keep(self, settings: MeshSettings, stop: asyncio.Event) -> None:
        """Follow Consul until stopped."""
        path = f"/v1/config/service-intentions/{settings.service}"
        await keep_following(settings, path, self._hear, stop, missing={})

    def _hear(self, entry: Entry) -> None:
        self._rules = {source["Name"]: _rule(source) for source in entry.get("Sources") or ()}
        _log.info("intentions", allowed=sorted(name for name, rule in self._rules.items() if rule != Rule(False)))  # noqa: FBT003


def _rule(source: Entry) -> Rule:
    permissions: Sequence[Entry] = source.get("Permissions") or ()
    methods = {
        each["HTTP"]["PathExact"]: each["Action"] == ALLOW for each in permissions if "PathExact" in each["HTTP"]
    }
    return Rule(source.get("Action") == ALLOW, methods)
