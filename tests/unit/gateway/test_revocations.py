"""The table of tokens to refuse, as Envoy reads it, and the file that it is in."""

import json
from pathlib import Path
from typing import Any

from gateway import Options
from gateway.revocations import CLAIMS, FILTER, Revoked, demands, render, revocation_filters, write
from mesh.contract import Access, AccessKind

ALL = Revoked(frozenset({"t1", "t2"}), frozenset({"s1"}), frozenset({"u1"}))


def rules(revoked: Revoked) -> dict[str, Any]:
    """The rules in a file."""
    (resource,) = render(revoked)["resources"]
    assert resource["name"] == FILTER
    matcher: dict[str, Any] = resource["typed_config"]["matcher"]
    return matcher


def tables(matcher: dict[str, Any]) -> dict[str, set[str]]:
    """Walk through the rules: what is looked up in which table, and refused; what is in none passes."""
    found = {}
    while "matcher_tree" in matcher:
        tree = matcher["matcher_tree"]
        table = tree["exact_match_map"]["map"]
        assert {each["action"]["typed_config"]["action"] for each in table.values()} == {"DENY"}
        found[tree["input"]["typed_config"]["key"].rpartition(".")[2]] = set(table)
        matcher = matcher["on_no_match"].get("matcher", matcher["on_no_match"])
    decision = matcher.get("on_no_match", matcher)
    assert decision["action"]["typed_config"]["action"] == "ALLOW"
    return found


def test_each_id_is_looked_up_by_its_claim() -> None:
    """One table for each claim, however many ids are in it."""
    assert tables(rules(ALL)) == {"jti": {"t1", "t2"}, "sid": {"s1"}, "sub": {"u1"}}
    assert len(ALL) == 4


def test_a_claim_without_ids_has_no_table() -> None:
    """Envoy takes no empty one."""
    assert tables(rules(Revoked(sessions=frozenset({"s1"})))) == {"sid": {"s1"}}
    assert tables(rules(Revoked(subjects=frozenset({"u1"})))) == {"sub": {"u1"}}
    assert tables(rules(Revoked())) == {}


def test_an_edge_that_was_told_nothing_refuses_nobody(options: Options) -> None:
    """The file may be broken when it starts."""
    claims, table = revocation_filters(options)
    discovery = table["config_discovery"]
    assert tables(discovery["default_config"]["matcher"]) == {}
    assert discovery["config_source"]["path_config_source"] == {
        "path": str(options.files.revoked),
        "watched_directory": {"path": str(options.files.revoked.parent)},
    }
    kept = [each["object_key"] for each in claims["typed_config"]["on_request_headers"]]
    assert kept == [f"ordermesh.token.{claim}" for claim in CLAIMS]


def test_only_a_route_without_a_demand_does_without() -> None:
    """What asks for a permission asks for a token that holds."""
    assert demands(Access(AccessKind.PUBLIC))[FILTER]["disabled"] is True
    assert demands(Access(AccessKind.PERMISSION, "orders.read")) == {}


def test_the_same_set_is_not_written_twice(tmp_path: Path) -> None:
    """Envoy takes up whatever is renamed, be it the same."""
    file = tmp_path / "revoked.json"
    assert write(file, ALL)
    read = file.stat()
    assert not write(file, Revoked(ALL.tokens, ALL.sessions, ALL.subjects))
    assert file.stat() == read
    assert write(file, Revoked())
    assert json.loads(file.read_text()) == render(Revoked())
    assert file.stat().st_mode & 0o077 == 0
