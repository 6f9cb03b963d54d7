"""Tokens that were good and are no more: a table in a file that is replaced while Envoy runs.

Envoy asks nobody. `gateway.companion` writes the file, and the filter takes it up by itself (ECDS), without a listener
being drained. A file that can't be read changes nothing, and an edge that never saw one refuses nobody.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.envoy import HTTP_FILTERS, Json, extension, http_filter, typed
from gateway.errors import REVOKED_POLICY, TOKEN_FILTER
from gateway.options import Options
from gateway.private_files import replace
from gateway.tokens import PAYLOAD
from mesh.contract import Access, AccessKind

FILTER = "envoy.filters.http.rbac.revoked"
# What of a token's claims is looked up, in this order: the token itself, its session, whose it is.
CLAIMS: Final = ("jti", "sid", "sub")
# How many ids one file has. 10,000 are 11 logouts in each second of a token's life; docs/adr/0013 has what they cost.
LIMIT = 10_000
_STATE = "ordermesh.token."
_ACTION = "envoy.config.rbac.v3.Action"


@dataclass(frozen=True, slots=True)
class Revoked:
    """What is refused: single tokens, all of a session, all of a subject; by their ids."""

    tokens: frozenset[str] = frozenset()
    sessions: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self.tokens) + len(self.sessions) + len(self.subjects)

    @property
    def by_claim(self) -> Mapping[str, frozenset[str]]:
        """The ids by the claim that has them."""
        return dict(zip(CLAIMS, (self.tokens, self.sessions, self.subjects), strict=True))


def revocation_filters(options: Options) -> list[Json]:
    """Build the filters that come after the token filter: the first makes of claims what a table is asked for."""
    return [_claims(), _table(options.files.revoked)]


def demands(access: Access) -> Json:
    """Give the filter settings of a route. Where no token is asked for, a revoked one opens nothing and is let pass.

    Whoever was logged out by force can log in again that way, though the browser still sends the session's cookie.
    """
    return (
        {FILTER: typed("envoy.config.route.v3.FilterConfig", disabled=True)} if access.kind is AccessKind.PUBLIC else {}
    )


def render(revoked: Revoked) -> Json:
    """Build what the filter reads; the JSON of envoy.service.discovery.v3.DiscoveryResponse."""
    config = extension(FILTER, f"{HTTP_FILTERS}rbac.v3.RBAC", **_rules(revoked))
    return {"resources": [{"@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", **config}]}


def write(file: Path, revoked: Revoked) -> bool:
    """Put it where the filter finds it; tell whether that was something new."""
    return replace(file, json.dumps(render(revoked), separators=(",", ":")) + "\n")


def _claims() -> Json:
    return http_filter(
        "set_filter_state", "set_filter_state.v3.Config", on_request_headers=[_kept(claim) for claim in CLAIMS]
    )


def _kept(claim: str) -> Json:
    source = {"inline_string": f"%DYNAMIC_METADATA({TOKEN_FILTER}:{PAYLOAD}:{claim})%"}
    value = {"text_format_source": source, "omit_empty_values": True}
    return {"object_key": _STATE + claim, "factory_key": "envoy.string", "format_string": value, "skip_if_empty": True}


def _table(file: Path) -> Json:
    watched = {"path": str(file), "watched_directory": {"path": str(file.parent)}}
    return {
        "name": FILTER,
        "config_discovery": {
            "config_source": {"path_config_source": watched, "resource_api_version": "V3"},
            "type_urls": ["type.googleapis.com/" + f"{HTTP_FILTERS}rbac.v3.RBAC"],
            "default_config": typed(f"{HTTP_FILTERS}rbac.v3.RBAC", **_rules(Revoked())),
        },
    }


def _rules(revoked: Revoked) -> Json:
    """Look each claim up in its table: in constant time, however many there are. No match lets the call pass."""
    matcher: Json = {"on_no_match": _decision("ALLOW")}
    for claim, ids in reversed(tuple(revoked.by_claim.items())):
        if ids:
            matcher = {"matcher_tree": _tree(claim, ids), "on_no_match": _nested(matcher)}
    return {"matcher": matcher, "rules_stat_prefix": f"{REVOKED_POLICY}."}


def _nested(matcher: Json) -> Json:
    return matcher["on_no_match"] if matcher.keys() == {"on_no_match"} else {"matcher": matcher}


def _tree(claim: str, ids: Iterable[str]) -> Json:
    read = typed("envoy.extensions.matching.common_inputs.network.v3.FilterStateInput", key=_STATE + claim)
    return {
        "input": {"name": claim, "typed_config": read},
        "exact_match_map": {"map": dict.fromkeys(sorted(ids), _decision("DENY"))},
    }


def _decision(action: str) -> Json:
    return {"action": {"name": REVOKED_POLICY, "typed_config": typed(_ACTION, name=REVOKED_POLICY, action=action)}}
