"""The one line in which a step of provisioning says what it changed."""

from collections.abc import Sequence


def summary(step: str, changes: Sequence[str]) -> str:
    """Join what was changed into one line; nothing changed is worth saying, too."""
    return f"{step}: {', '.join(changes) if changes else 'unchanged'}"
