"""Draws the states of an order into docs/orders.md from the table of transitions; `--check` only compares."""

import sys
from collections.abc import Iterator
from pathlib import Path

from services.order.domain.order import State
from services.order.domain.transitions import TRANSITIONS, Rule, Transition

PAGE = Path(__file__).resolve().parent.parent / "docs" / "orders.md"
BEGIN, END = "<!-- drawn by tools/order_states.py -->\n", "<!-- end of what is drawn -->\n"


def words(name: str) -> str:
    """Say a transition's name in words."""
    return name.replace("_", " ").lower()


def arrows() -> Iterator[str]:
    """Every way from one state to another."""
    yield f"  [*] --> {State.PENDING}: {words(Transition.PLACE)}"
    for transition, rules in TRANSITIONS.items():
        for rule in rules:
            for source in State:
                if source in rule.sources and rule.target not in {None, source}:
                    yield f"  {source} --> {rule.target}: {words(transition)}{_guard(rule)}"
    for state in State:
        if not any(state in rule.sources for rules in TRANSITIONS.values() for rule in rules):
            yield f"  {state} --> [*]"


def rows() -> Iterator[str]:
    """The whole table, the transitions that leave the state as it is too."""
    yield "| transition | from | if | to |\n|---|---|---|---|"
    for transition, rules in TRANSITIONS.items():
        for rule in rules:
            sources = ", ".join(state for state in State if state in rule.sources)
            guard = rule.guard.words if rule.guard else ""
            yield f"| {words(transition)} | {sources} | {guard} | {rule.target or 'stays'} |"


def drawn() -> str:
    """The diagram and the table."""
    diagram = "\n".join(arrows())
    table = "\n".join(rows())
    return f"```mermaid\nstateDiagram-v2\n{diagram}\n```\n\n{table}\n"


def _guard(rule: Rule) -> str:
    return f" [{rule.guard.words}]" if rule.guard else ""


def main() -> None:
    """Write the page anew, or fail if it is not as it should be."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    fresh = f"{before}{BEGIN}\n{drawn()}\n{END}{after}"
    if "--check" not in sys.argv:
        PAGE.write_text(fresh)
    elif fresh != page:
        raise SystemExit("docs/orders.md is not what the table of transitions says; run `make docs`")


if __name__ == "__main__":
    main()
