"""`make rotate-keys`: makes the next signing key, unless one is waiting to sign already, and says when it signs.

    make rotate-keys
    make rotate-keys do=list

It works on the auth database itself, so that it works whatever became of the service.
"""

# ruff: noqa: T201 - a command that speaks to the terminal

import argparse
import asyncio
import getpass
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from mesh import context, errors
from services.auth import keys
from services.auth.keys import KeyVault, WrongSecretError
from services.auth.settings import AuthSettings
from services.auth.store import KeyStore
from services.common.database import Database


async def rotate(store: KeyStore, settings: AuthSettings) -> None:
    """Make the next key."""
    made = await store.rotate(keys.generate(datetime.now(UTC)), settings.schedule.wait)
    what = "is made" if made.added else "was waiting already; no other is made"
    print(f"key {made.key_id} {what}; it signs from {made.sign_time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")


async def show(store: KeyStore, _: AuthSettings) -> None:
    """List the keys."""
    now, signs = datetime.now(UTC), True
    for key in await store.keys():
        state = "waits" if key.sign_time > now else "signs" if signs else "verifies"
        signs = signs and state == "waits"
        print(f"{key.id}  {state:8}  from {key.sign_time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")


COMMANDS = {"rotate": rotate, "list": show}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="make rotate-keys", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    arguments = parser.parse_args(argv)
    try:
        asyncio.run(_run(arguments.command))
    except (errors.Error, WrongSecretError, OSError) as fault:
        print(fault, file=sys.stderr)
        return 2
    return 0


async def _run(command: str) -> None:
    settings = AuthSettings()
    secret, *previous = settings.secrets
    with context.background(actor=f"operator:{getpass.getuser()}"):
        async with Database.open(settings) as database:
            await COMMANDS[command](KeyStore(database, KeyVault(secret, previous)), settings)


if __name__ == "__main__":
    sys.exit(main())
