"""What happens to running systems: a process that is gone from one moment to the next."""

import os
import signal

from deploy.native import secrets
from deploy.native.runtime import Runtime
from deploy.native.supervisor import Supervisor
from tests.e2e.shop import eventually

RESTART_S = 60.0


def kill(stack: Runtime, program: str) -> None:
    """End a program without a warning, and wait until its supervisor has started it again."""
    supervisor = Supervisor(stack, secrets.ensure(stack.root, stack.topology.services))
    before = supervisor.state(program).pid
    os.kill(before, signal.SIGKILL)
    eventually(lambda: supervisor.state(program).pid not in {0, before}, within_s=RESTART_S)
