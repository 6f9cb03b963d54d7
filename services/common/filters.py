"""A WHERE of those conditions that are asked for.

Not `(%(x)s IS NULL OR x = %(x)s)`: PostgreSQL keeps one plan for a prepared statement, and one that has to serve with
and without a condition can use no index for it. Of a million orders, a customer's ten would be looked for one by one.
"""

from collections.abc import Mapping

from services.common.connection import Values


def where(conditions: Mapping[str, str], values: Values) -> str:
    """Write the conditions, by the name of the value that each is about, whose value is not None."""
    asked = [condition for name, condition in conditions.items() if values[name] is not None]
    return f"WHERE {' AND '.join(asked)} " if asked else ""
