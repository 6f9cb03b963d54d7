"""Erases a customer from their orders: `python -m services.order.erase <customer id>`; `make erase-user` calls it.

ORDERMESH_DATABASE_URL names the database as the role that owns its schema. Orders on their way need their address: with
some of those it fails and changes nothing, unless told `--force`.
"""

import argparse
import os
import sys

from services.order.store.erasing import erase, open_orders


def main() -> None:
    """Erase, or say which orders stand in the way."""
    parser = argparse.ArgumentParser(prog="python -m services.order.erase", description=__doc__)
    parser.add_argument("customer_id")
    parser.add_argument("--check", action="store_true", help="only say whether orders stand in the way")
    parser.add_argument("--force", action="store_true", help="also if orders are on their way")
    arguments = parser.parse_args()
    url = os.environ["ORDERMESH_DATABASE_URL"]
    under_way = [] if arguments.force else open_orders(url, arguments.customer_id)
    if under_way:
        sys.exit(f"orders on their way need their address; ship or cancel them first: {', '.join(under_way)}")
    if not arguments.check:
        erased = erase(url, arguments.customer_id)
        sys.stdout.write(f"order: {erased.orders} orders, {erased.notes} notes, {erased.events} events\n")


if __name__ == "__main__":
    main()
