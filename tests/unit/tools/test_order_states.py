"""The page about orders shows the table of transitions as it is."""

import importlib.util
from pathlib import Path

TOOL = Path(__file__).resolve().parents[3] / "tools" / "order_states.py"


def test_every_transition_is_drawn() -> None:
    """Once in the table for each of its rules."""
    specification = importlib.util.spec_from_file_location("order_states", TOOL)
    assert specification is not None
    assert specification.loader is not None
    tool = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(tool)
    page = tool.drawn()
    for transition, rules in tool.TRANSITIONS.items():
        assert page.count(f"| {tool.words(transition)} |") == len(rules)
    assert "PENDING --> CONFIRMED: confirm [stock is held]" in page
