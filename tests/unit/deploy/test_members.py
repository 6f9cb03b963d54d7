"""Services of other teams that joined: their ports, their tokens, and the names they can't have."""

import stat
from pathlib import Path

import pytest

from deploy.native import join, members
from deploy.native.errors import StackError
from tests.unit.deploy.provision_examples import runtime_in

FIRST = (9200, 9300)


def test_each_has_ports_and_a_token_of_its_own() -> None:
    """Those of one that left are given out again."""
    found = members.joined({}, "loyalty", (), FIRST)
    found = members.joined(found, "shopfront", ("loyalty",), FIRST)
    assert [(each.port, each.metrics_port) for each in found.values()] == [(9200, 9300), (9201, 9301)]
    assert len({each.consul_token for each in found.values()}) == 2
    again = members.joined({"shopfront": found["shopfront"]}, "search", (), FIRST)
    assert again["search"].port == 9200


def test_one_that_joins_again_keeps_what_it_has() -> None:
    """Only what it may call is new."""
    before = members.joined({}, "loyalty", (), FIRST)
    after = members.joined(before, "loyalty", ("order",), FIRST)
    assert after["loyalty"].calls == ("order",)
    assert after["loyalty"].consul_token == before["loyalty"].consul_token


def test_what_is_kept_is_read_again_and_private(tmp_path: Path) -> None:
    """It holds tokens, which no log line shows."""
    found = members.joined({}, "loyalty", ("order",), FIRST)
    members.write(tmp_path, found)
    assert members.read(tmp_path) == found
    assert stat.S_IMODE((tmp_path / members.FILE_NAME).stat().st_mode) == 0o600
    assert found["loyalty"].consul_token not in repr(found)


@pytest.mark.parametrize("name", ["order", "edge", "control-plane", "operator", "Loyalty", "a/b", "", "consul"])
def test_a_name_that_is_taken_or_unreadable_is_refused(tmp_path: Path, name: str) -> None:
    """Nobody joins as somebody else."""
    with pytest.raises(StackError, match="can't join"):
        join.join(runtime_in(tmp_path), name, ())


def test_calling_nobody_known_is_refused(tmp_path: Path) -> None:
    """The message lists who there is."""
    with pytest.raises(StackError, match=r"nobody is called odrer; there is auth, product"):
        join.join(runtime_in(tmp_path), "loyalty", ("odrer",))
