"""What must hold of the payment database and of the sandbox gateway once nothing is under way."""

from tests.integration.postgres import Postgres

# The payment says what its ledger says, and one event was written for each version.
UNBALANCED = """
WITH ledger AS (
    SELECT payment_id,
           coalesce(sum(amount) FILTER (WHERE kind = 'AUTHORIZATION'), 0) AS authorized,
           coalesce(sum(amount) FILTER (WHERE kind = 'CAPTURE'), 0)
               - coalesce(sum(amount) FILTER (WHERE kind = 'CAPTURE_REVERSAL'), 0) AS captured,
           coalesce(sum(amount) FILTER (WHERE kind = 'REFUND'), 0)
               - coalesce(sum(amount) FILTER (WHERE kind = 'REFUND_REVERSAL'), 0) AS refunded,
           coalesce(sum(amount) FILTER (WHERE kind IN ('VOID', 'EXPIRY')), 0) AS voided
    FROM ledger_entries GROUP BY payment_id
)
SELECT p.id, p.state, p.authorized, p.captured, p.refunded, ledger.*
FROM payments p LEFT JOIN ledger ON ledger.payment_id = p.id
WHERE (p.authorized, p.captured, p.refunded, p.voided) <> (coalesce(ledger.authorized, 0),
      coalesce(ledger.captured, 0), coalesce(ledger.refunded, 0), coalesce(ledger.voided, 0))
"""
UNTOLD = """
SELECT p.id, version, array_agg(sequence ORDER BY sequence)
FROM payments p LEFT JOIN events ON aggregate_id = p.id::text
GROUP BY p.id HAVING array_agg(sequence ORDER BY sequence) <> ARRAY(SELECT generate_series(1::bigint, version))
"""
# The gateway holds money for those payments only that say so, and moved exactly what they say.
OTHERWISE_AT_THE_GATEWAY = """
SELECT p.id, p.state, c.declined, c.closed
FROM payments p LEFT JOIN sandbox_charges c ON c.key = p.id::text
WHERE p.state <> 'PENDING' AND p.gateway IN ('sandbox', 'second', '') AND (p.state IN ('AUTHORIZED', 'CAPTURED'))
      <> (c.key IS NOT NULL AND c.declined IS NULL AND NOT c.closed)
"""
MOVED_OTHERWISE = """
WITH moved AS (
    SELECT reference, coalesce(sum(amount) FILTER (WHERE kind = 'CAPTURE'), 0) AS captured,
           coalesce(sum(amount) FILTER (WHERE kind = 'REFUND'), 0) AS refunded
    FROM sandbox_movements GROUP BY reference
)
SELECT p.id, p.captured, p.refunded, moved.captured, moved.refunded
FROM payments p LEFT JOIN moved ON moved.reference = p.gateway_reference
WHERE p.gateway IN ('sandbox', 'second')
  AND NOT EXISTS (SELECT FROM ledger_entries e WHERE e.payment_id = p.id AND e.kind LIKE '%_REVERSAL')
  AND (p.captured, p.refunded) <> (coalesce(moved.captured, 0), coalesce(moved.refunded, 0))
"""
OPEN = "SELECT * FROM operations WHERE NOT done"


def audit(postgres: Postgres) -> None:
    """Compare payments with their ledger, their events, and what the gateway did."""
    with postgres.superuser("payment") as connection:
        for question in (OPEN, UNBALANCED, UNTOLD, OTHERWISE_AT_THE_GATEWAY, MOVED_OTHERWISE):
            if rows := connection.execute(question.encode()).fetchall():
                raise AssertionError(f"{question}gives {rows}")
