"""Brings a service's schema to its newest revision: `python -m services.common.migrate <service> upgrade|current`.

ORDERMESH_DATABASE_URL names the database as the role that owns its schema.
"""

import argparse
from pathlib import Path

from alembic import command
from alembic.config import Config

COMMON = Path(__file__).resolve().parent


def configuration(service: str) -> Config:
    """Point Alembic at a service's revisions. Raises LookupError for a service without any."""
    versions = COMMON.parent / service / "migrations" / "versions"
    if not versions.is_dir():
        raise LookupError(f"there is no service {service} with migrations")
    config = Config()
    config.set_main_option("script_location", str(COMMON / "alembic"))
    config.set_main_option("version_locations", str(versions))
    config.set_main_option("path_separator", "newline")
    return config


def main() -> None:
    """Run one command for one service."""
    parser = argparse.ArgumentParser(prog="python -m services.common.migrate", description=__doc__)
    parser.add_argument("service")
    parser.add_argument("command", choices=("upgrade", "current"))
    arguments = parser.parse_args()
    config = configuration(arguments.service)
    if arguments.command == "upgrade":
        command.upgrade(config, "head")
    else:
        command.current(config)


if __name__ == "__main__":
    main()
