"""The last words of `make up`: what was changed, what it costs, and where to look."""

from collections.abc import Sequence
from pathlib import Path

from deploy.native import status
from deploy.native.runtime import Runtime

HOST = "127.0.0.1"
CREDENTIALS = "credentials.json"


def of(runtime: Runtime, changes: Sequence[str], seconds: float) -> str:
    """Say it."""
    memory = status.megabytes(status.total_memory(runtime))
    verdict = "The stack is up" if changes else "Nothing had to be changed: the stack is up"
    return "\n".join([f"\n{verdict} after {seconds:.1f} s; it takes {memory} of memory.\n", *places(runtime)])


def places(runtime: Runtime) -> list[str]:
    """List the addresses, and where the keys to them are."""
    http, https = (f"{scheme}://{HOST}:{runtime.port('edge', scheme)}" for scheme in ("http", "https"))
    credentials = _shown(runtime, runtime.root / CREDENTIALS)
    rows = {
        "API": f"{http}  {https}",
        "API page": f"{http}/docs",
        "Consul": f"http://{HOST}:{runtime.port('consul', 'http')}/ui  (log in with consul_token of {credentials})",
        "log-ins": f"{credentials}  (admin_email, admin_password)",
        "e-mails": str(_shown(runtime, runtime.root / "mail")),
        "logs": "make logs s=order",
    }
    return [f"  {name:10}{place}" for name, place in rows.items()]


def _shown(runtime: Runtime, path: Path) -> Path:
    """Name a file the way a person in the checkout does."""
    return path.relative_to(runtime.checkout) if path.is_relative_to(runtime.checkout) else path
