"""The command line of the native stack."""

import sys

from deploy.native import components
from deploy.native.errors import StackError

COMMANDS = {"install": components.command}


def main() -> None:
    """Run the command that is named first."""
    name, *rest = sys.argv[1:] or [""]
    if name not in COMMANDS:
        sys.exit(f"usage: python -m deploy.native {{{','.join(COMMANDS)}}} …")
    try:
        COMMANDS[name](rest)
    except StackError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
