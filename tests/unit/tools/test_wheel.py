"""The wheels for other teams: what the mesh needs is declared, and what only the platform runs is not in it."""

import ast
import importlib.metadata
import sys
from pathlib import Path

import pytest

from tools import wheel

MESH = wheel.CHECKOUT / "mesh"
CONTRACTS = {"ordermesh", "buf", "pbconnectca"}


def modules() -> list[Path]:
    """List what goes into the wheel."""
    return [path for path in MESH.rglob("*.py") if not set(path.relative_to(MESH).parts) & {*wheel.PLATFORM_ONLY}]


def normal(name: str) -> str:
    """Write the name of a distribution as registries do."""
    return name.lower().replace("_", "-")


def imported(path: Path) -> set[str]:
    """List the full names of the modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_every_package_that_the_mesh_imports_is_declared() -> None:
    """Whoever installs the wheel gets what it needs, by the name that the registry knows."""
    providers = importlib.metadata.packages_distributions()
    tops = {name.partition(".")[0] for path in modules() for name in imported(path)}
    needed = tops - sys.stdlib_module_names - CONTRACTS - {"mesh"}
    assert needed
    assert not {top for top in needed if not set(map(normal, providers[top])) & set(wheel.MESH_NEEDS)}


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.name)
def test_nothing_in_the_wheel_needs_what_is_left_out(path: Path) -> None:
    """Neither the control plane and the operator's command nor Envoy's messages, which they stand on."""
    outside = {f"mesh.{name}" for name in wheel.PLATFORM_ONLY} | {"envoy", "xds"}
    assert not {name for name in imported(path) if any(f"{name}.".startswith(f"{each}.") for each in outside)}


def test_versions_are_those_of_the_project() -> None:
    """Said once."""
    known = wheel.project()
    assert all(known[name].startswith(name) for name in wheel.MESH_NEEDS)
    assert known["version"].count(".") == 2
