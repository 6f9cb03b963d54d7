"""The statements of the order store. A change of an order and its event are one statement, and so one commit."""

from collections.abc import Mapping

from services.common import events
from services.order.domain.order import State

ADD = f"""
WITH keyed AS (
    INSERT INTO idempotency_keys (customer_id, key, fingerprint, order_id)
    SELECT CAST(%(customer_id)s AS uuid), %(key)s, %(fingerprint)s, CAST(%(id)s AS uuid)
    WHERE CAST(%(key)s AS text) IS NOT NULL
    ON CONFLICT DO NOTHING RETURNING order_id
), added AS (
    INSERT INTO orders (id, customer_id, state, currency_code, total, shipping, shipping_tax, tax_included,
                        shipping_address, version, create_time, update_time, payment_token, lease_until)
    SELECT CAST(%(id)s AS uuid), CAST(%(customer_id)s AS uuid), %(state)s, %(currency_code)s, %(total)s, %(shipping)s,
           %(shipping_tax)s, %(tax_included)s, CAST(%(shipping_address)s AS jsonb), %(version)s, %(create_time)s,
           %(update_time)s, %(payment_token)s, now() + %(lease)s
    WHERE CAST(%(key)s AS text) IS NULL OR EXISTS (SELECT FROM keyed)
    RETURNING id
), lines AS (
    INSERT INTO order_lines (order_id, position, sku, quantity, product_id, name, unit_price, tax)
    SELECT added.id, line.position, line.sku, line.quantity, line.product_id, line.name, line.unit_price, line.tax
    FROM added, unnest(CAST(%(skus)s AS text[]), CAST(%(quantities)s AS integer[]), CAST(%(product_ids)s AS uuid[]),
                       CAST(%(names)s AS text[]), CAST(%(unit_prices)s AS bigint[]),
                       CAST(%(taxes)s AS bigint[]))
        WITH ORDINALITY AS line (sku, quantity, product_id, name, unit_price, tax, position)
), event AS (
    {events.insert_from("added")}
)
SELECT count(*) FROM added
"""  # noqa: S608 - constants only
_SAVED = """
    UPDATE orders SET state = %(state)s, payment_id = CAST(%(payment_id)s AS uuid),
        reservation_id = CAST(%(reservation_id)s AS uuid), rejection_reason = %(rejection_reason)s,
        rejection_message = %(rejection_message)s, cancel_reason = %(cancel_reason)s, version = %(version)s,
        update_time = %(update_time)s, under_way = %(under_way)s,
        payment_token = CASE WHEN %(state)s = 'PENDING' THEN payment_token END,
        lease_until = CASE WHEN NOT %(unsettled)s THEN NULL
                           -- Left as it is while it is new: a row whose indexed columns stay is written to no index.
                           WHEN lease_until > now() + %(lease)s * 0.75 THEN lease_until
                           ELSE now() + %(lease)s END
    WHERE id = CAST(%(id)s AS uuid) AND version = %(version)s - 1
    RETURNING id
"""
SAVE = f"""
WITH saved AS (
    {_SAVED}
), event AS (
    {events.insert_from("saved")}
)
SELECT count(*) FROM saved
"""  # noqa: S608 - constants only
# For an order with parts: the counters of its lines and the parts that changed come with it.
SAVE_WITH_PARTS = f"""
WITH saved AS (
    {_SAVED}
), lines AS (
    UPDATE order_lines l SET cancelled = line.cancelled, shipped = line.shipped, returned = line.returned
    FROM saved, unnest(CAST(%(cancelled)s AS integer[]), CAST(%(shipped)s AS integer[]),
                       CAST(%(returned)s AS integer[]))
        WITH ORDINALITY AS line (cancelled, shipped, returned, position)
    WHERE l.order_id = saved.id AND l.position = line.position
      AND (l.cancelled, l.shipped, l.returned) IS DISTINCT FROM (line.cancelled, line.shipped, line.returned)
), parts AS (
    INSERT INTO order_parts (id, order_id, kind, position, state, amount, details, request_id, fingerprint)
    SELECT part.id, saved.id, part.kind, part.position, part.state, part.amount, part.details,
           CASE WHEN part.id = CAST(%(part_id)s AS uuid) THEN CAST(%(request_id)s AS text) END,
           CASE WHEN part.id = CAST(%(part_id)s AS uuid) THEN CAST(%(fingerprint)s AS bytea) END
    FROM saved, jsonb_to_recordset(CAST(%(parts)s AS jsonb))
        AS part (id uuid, kind text, position smallint, state text, amount bigint, details jsonb)
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, details = excluded.details
    WHERE order_parts.details IS DISTINCT FROM excluded.details
), event AS (
    {events.insert_from("saved")}
)
SELECT count(*) FROM saved
"""  # noqa: S608 - constants only
ORDER = """
SELECT o.id::text, o.customer_id::text, o.state, o.currency_code, o.total, o.shipping, o.shipping_tax, o.tax_included,
       o.shipping_address, o.payment_id::text, o.reservation_id::text, o.rejection_reason, o.rejection_message,
       o.cancel_reason, o.version, o.create_time, o.update_time, l.lines, p.parts
FROM orders o CROSS JOIN LATERAL (
    SELECT json_agg(json_build_array(sku, quantity, product_id, name, unit_price, tax, cancelled, shipped, returned)
                    ORDER BY position) AS lines
    FROM order_lines WHERE order_id = o.id
) l CROSS JOIN LATERAL (
    SELECT json_agg(json_build_array(kind, details) ORDER BY kind, position) AS parts
    FROM order_parts WHERE order_id = o.id
) p
"""
PAGE: Mapping[str, str] = {
    "owner": "o.customer_id = CAST(%(owner)s AS uuid)",
    "customer_id": "o.customer_id = CAST(%(customer_id)s AS uuid)",
    "from": "o.create_time >= %(from)s AND o.id >= CAST(%(from_id)s AS uuid)",
    "before": "o.create_time < %(before)s AND o.id < CAST(%(before_id)s AS uuid)",
    "after": "o.id < CAST(%(after)s AS uuid)",
}
# Written out: how many orders there are of a state differs too much for one plan.
PAGE_OF_STATE: Mapping[str | None, Mapping[str, str]] = {
    None: PAGE,
    **{state: {**PAGE, "state": f"o.state = '{state}'"} for state in State},
}
NEWEST = "ORDER BY o.id DESC LIMIT %(limit)s"
# Materialized: a subquery that the planner runs again for each row would lock other rows each time.
CLAIM = """
WITH due AS MATERIALIZED (
    SELECT id FROM orders WHERE lease_until < now() ORDER BY lease_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE orders SET lease_until = now() + %(lease)s FROM due WHERE orders.id = due.id RETURNING orders.id
"""


STUCK = """
SELECT id::text, customer_id::text, state, under_way, update_time FROM orders
WHERE lease_until IS NOT NULL AND update_time < now() - %(longer_than)s ORDER BY update_time LIMIT %(limit)s
"""
VERSIONS = "SELECT id::text, version FROM orders WHERE id = ANY(CAST(%(ids)s AS uuid[]))"
EVENTS_BY_ID = """
SELECT id::text, sequence, type, payload, actor, request_id, occurred_at FROM events
WHERE aggregate_id = %(order_id)s AND (CAST(%(after)s AS uuid) IS NULL OR id > CAST(%(after)s AS uuid))
ORDER BY id LIMIT %(limit)s
"""
