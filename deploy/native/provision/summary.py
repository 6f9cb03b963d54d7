"""The one line in which a step of provisioning says what it changed."""

from collections.abc import Sequence

MOST_SHOWN = 4
WARNING = "WARNING"


def summary(step: str, changes: Sequence[str]) -> str:
    """Join what was changed into one line; nothing changed is worth saying, too. No warning is ever left out."""
    warnings = [change for change in changes if WARNING in change]
    others = [change for change in changes if WARNING not in change]
    shown = (
        others if len(others) <= MOST_SHOWN else [*others[: MOST_SHOWN - 1], f"and {len(others) - MOST_SHOWN + 1} more"]
    )
    return f"{step}: {', '.join([*warnings, *shown]) or 'unchanged'}"
