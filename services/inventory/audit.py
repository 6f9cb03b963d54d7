"""`make stock-audit`: whether the books of the stock balance. Reads only, and may be run while the service works.

ORDERMESH_ENV_FILE names the settings of the service, as `make up` writes them.
"""

# ruff: noqa: T201 - a command that speaks to the terminal

import sys

import uvloop

from mesh import errors
from services.common.database import Database
from services.inventory.settings import InventorySettings
from services.inventory.store.auditing import QUESTIONS, differences

_SHOWN = 20


async def _audit() -> int:
    async with Database.open(InventorySettings(service="inventory")) as database:
        found = await differences(database)
    for each in QUESTIONS:
        rows = found.get(each.rule, [])
        print(f"{'differs' if rows else 'holds  '}  {each.rule}{f': {len(rows)}' if rows else ''}")
        for row in rows[:_SHOWN]:
            print(f"    {', '.join(f'{name}={value}' for name, value in row._asdict().items())}")
    return 1 if found else 0


def main() -> None:
    """Ask, print what was found, and exit with 1 when anything differs, 2 when it could not be asked."""
    try:
        sys.exit(uvloop.run(_audit()))
    except errors.Error as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
