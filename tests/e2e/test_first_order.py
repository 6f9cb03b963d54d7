"""The walk through docs/first-order.md: its commands run as they are printed there."""

import os
import re
import subprocess
from pathlib import Path

from deploy.native.runtime import Runtime

PAGE = Path(__file__).resolve().parents[2] / "docs" / "first-order.md"
LIMIT_S = 120


def test_the_commands_of_the_page_run_as_they_are_printed(stack: Runtime) -> None:
    """From a registration to a refund, in one shell, each of them with success."""
    script = "set -euo pipefail\n" + "\n".join(
        re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    )
    place = {"E": f"http://127.0.0.1:{stack.port('edge', 'http')}", "RUN": str(stack.root)}
    done = subprocess.run(  # noqa: S603 - our own page
        ["bash", "-c", script],  # noqa: S607 - a reader's own bash
        env={**os.environ, **place},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    assert {"CANCELLED", '"CANCELLED"', '"APPROVED"', '"COMPLETED"'} <= set(printed)
    assert printed[-1] == "Refunded: return"
