"""The page on attacks names tests that are there."""

import ast
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
PAGE = (CHECKOUT / "docs" / "attacks.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_is_named_is_there(file: str, name: str) -> None:
    """Under that name, in that file."""
    tree = ast.parse((CHECKOUT / file).read_text())
    functions = {each.name for each in tree.body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))}

    assert name in functions


def test_every_attack_has_a_test() -> None:
    """No line without one."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| attack ")]

    assert lines
    assert all("::test_" in line for line in lines)
