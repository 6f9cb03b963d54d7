"""Every component of `deploy/versions.toml`, installed once in a cache that checkouts share.

    runtime = Runtime.load(checkout, os.environ)
    cache = components.cache_directory()
    components.install(cache=cache, versions=runtime.versions)
    programs = components.locate(cache=cache, versions=runtime.versions)
    [programs.consul, "agent", …]

`install` is quick when everything is there, so whoever starts the stack calls it first. A consul, envoy,
node, postgres or valkey-server on PATH whose version fits is used instead of ours. What goes wrong is a StackError,
to be printed without a traceback.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from deploy.native.components.installation import install
from deploy.native.components.location import Components, locate
from deploy.native.runtime import Runtime
from tools.environment import cache_directory

__all__ = ["Components", "cache_directory", "command", "install", "locate"]

CHECKOUT = Path(__file__).resolve().parents[3]


def command(argv: Sequence[str]) -> None:
    """Follow `install [names…]`; raise a StackError for what the caller can mend."""
    parser = argparse.ArgumentParser("python -m deploy.native install", description="Install the components.")
    parser.add_argument("names", nargs="*", help="which of deploy/versions.toml; all when none is named")
    cache = cache_directory()
    versions = Runtime.load(CHECKOUT, os.environ).versions
    install(parser.parse_args(argv).names, cache=cache, versions=versions, report=show)
    show(f"components are in {cache}")


def show(line: str) -> None:
    """Print at once, also into a pipe: a build can take minutes."""
    print(line, flush=True)
