"""`make audit`: whether the books of all services agree, with themselves, with each other and with Kafka.

It only reads, and may be run while orders are taken: what looks wrong is looked at again before it is told, because one
database is read a moment after the other.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence

from deploy.native import command_line, components
from deploy.native.audit import books, published
from deploy.native.audit.rules import Difference, differences
from deploy.native.errors import StackError
from deploy.native.programs.ours import python_path
from deploy.native.runtime import Runtime

LOOKS = 4
PAUSE_S = 2.0
SHOWN = 20
# Services that know more of their own books than others may.
OWN: tuple[tuple[str, str], ...] = (("inventory", "services.inventory.audit"), ("order", "services.order.rebuild"))

Look = Callable[[], set[Difference]]


def command(argv: Sequence[str]) -> None:
    """Look at everything, say what differs, and leave with 1 if anything does."""
    command_line.parser("audit", __doc__).parse_args(argv)
    runtime = command_line.this_stack()
    found = [tell(name, lasting(look)) for name, look in looks(runtime)]
    own = [_own(runtime, service, module) for service, module in OWN]
    sys.exit(int(any(found) or not all(own)))


def looks(runtime: Runtime) -> Iterable[tuple[str, Look]]:
    """List what is looked at, each as a function that says what differs at this moment."""
    yield "orders, stock and money agree", lambda: set(differences(books.orders(runtime)))
    yield "every payment is the sum of its ledger", lambda: set(books.unbalanced(runtime))
    yield "every order has all of its events", lambda: set(books.uneven(runtime))
    yield "Kafka has every event, and no other", lambda: set(published.differences(runtime))


def lasting(look: Look, pause: Callable[[float], None] = time.sleep) -> list[Difference]:
    """Keep what is seen in every one of several looks; what was under way is not."""
    seen = look()
    for _ in range(LOOKS - 1):
        if not seen:
            break
        pause(PAUSE_S)
        seen &= look()
    return sorted(seen)


def tell(name: str, found: Sequence[Difference]) -> bool:
    """Print a rule and what breaks it; tells whether anything does."""
    print(f"{'differs' if found else 'holds  '}  {name}{f': {len(found)}' if found else ''}", flush=True)
    for each in found[:SHOWN]:
        print(f"    {each}")
    if len(found) > SHOWN:
        print(f"    and {len(found) - SHOWN} more")
    return bool(found)


def _own(runtime: Runtime, service: str, module: str) -> bool:
    """Have a service judge its own books; tells whether they are in order."""
    environment = os.environ | {
        "ORDERMESH_ENV_FILE": str(runtime.env_file(service)),
        "PYTHONPATH": python_path(
            runtime, components.locate(cache=components.cache_directory(), versions=runtime.versions)
        ),
    }
    print(f"{service}, by itself:", flush=True)
    code = subprocess.run([sys.executable, "-m", module], cwd=runtime.checkout, env=environment, check=False).returncode
    if code not in {0, 1}:
        raise StackError(f"{module} could not look; it ended with {code}")
    return code == 0
