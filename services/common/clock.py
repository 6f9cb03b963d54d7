"""The time as services keep it. What decides by the time takes it by parameter, and tests give another."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time in UTC; PostgreSQL keeps its microseconds."""
    return datetime.now(UTC)
