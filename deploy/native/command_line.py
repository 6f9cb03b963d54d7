"""What every command of the native stack begins with: its arguments, and which stack it is about."""

import argparse
import os
from pathlib import Path

from deploy.native.runtime import Runtime

CHECKOUT = Path(__file__).resolve().parents[2]


def parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """Make the parser of a command; `description` is the docstring of its module."""
    return argparse.ArgumentParser(f"python -m deploy.native {name}", description=description)


def this_stack() -> Runtime:
    """Answer the stack of this checkout, as the environment has it."""
    return Runtime.load(CHECKOUT, os.environ)
