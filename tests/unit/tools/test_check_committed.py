"""Which lines must not be committed."""

import hashlib

import pytest

from tools import check_committed

# Put together here, so that this file passes the check itself.
HOME = "/" + "root"


@pytest.mark.parametrize("line", [f"open('{HOME}/x')", f"cd {HOME}", f'"{HOME}"', f"cache={HOME}/.cache"])
def test_a_path_of_one_machine_is_refused(line: str) -> None:
    """A checkout elsewhere has no such folder."""
    assert list(check_committed.faults(line)) == [f"names the machine path {HOME}"]


@pytest.mark.parametrize("line", [f"build{HOME}", f"{HOME}s/x", f"$(TOP){HOME}/x", "GET /api/v1/orders"])
def test_a_path_that_only_looks_alike_passes(line: str) -> None:
    """Relative paths, routes and longer names say nothing about a machine."""
    assert list(check_committed.faults(line)) == []


def test_a_registry_is_refused_by_any_of_its_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host below a registry's domain is the registry's, too."""
    digest = hashlib.sha256(b"registry.example.org").hexdigest()[:16]
    monkeypatch.setattr(check_committed, "REGISTRY_HOSTS", frozenset({digest}))
    assert list(check_committed.faults("https://files.registry.example.org/x")) == [
        "names the registry host files.registry.example.org"
    ]
    assert list(check_committed.faults("https://example.org/x")) == []
