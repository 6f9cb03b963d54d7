"""A stack in a temporary folder, with the checkout's real topology, and its secrets."""

from pathlib import Path

from deploy.native import secrets
from deploy.native.runtime import ROOT, Runtime
from deploy.native.secrets import Secrets

CHECKOUT = Path(__file__).resolve().parents[3]


def runtime_in(folder: Path) -> Runtime:
    """Name a stack that keeps everything in `folder`; nothing of it runs."""
    return Runtime.load(CHECKOUT, {ROOT: str(folder)})


def secrets_of(runtime: Runtime) -> Secrets:
    """Make its secrets."""
    return secrets.ensure(runtime.root, runtime.topology.services)
