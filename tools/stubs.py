"""Generates build/stubs and build/descriptors.binpb from the contracts, offline, when an input has changed.

Several processes may ask at once and others may be importing: work is done beside the old result, under a
lock, and then renamed into place.
"""

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
BUILD = CHECKOUT / "build"
STUBS = BUILD / "stubs"
DESCRIPTORS = BUILD / "descriptors.binpb"
FINGERPRINT = BUILD / "stubs.sha256"
INPUTS = (
    "proto",
    "third_party",
    "tools/stubs.py",
    "tools/protoc_gen_grpc_python.py",
    "buf.yaml",
    "buf.gen.yaml",
    "requirements.lock",
)


def input_files() -> Iterator[Path]:
    """All files that decide the result, in a stable order."""
    for name in INPUTS:
        path = CHECKOUT / name
        yield from [path] if path.is_file() else sorted(path.rglob("*.proto"))


def fingerprint() -> str:
    """Digest the names and contents of the inputs."""
    digest = hashlib.sha256()
    for file in input_files():
        digest.update(f"{file.relative_to(CHECKOUT)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def is_current(wanted: str) -> bool:
    """Tell whether the last result was made from the same inputs."""
    made = FINGERPRINT.read_text() if FINGERPRINT.exists() else ""
    return made == wanted and STUBS.is_dir() and DESCRIPTORS.exists()


def mark_packages(stubs: Path) -> None:
    """Make ordermesh a typed package. `buf` stays a namespace, which other distributions may share."""
    for top in (stubs / "ordermesh", stubs / "buf" / "validate"):
        for folder in [top, *(path for path in top.rglob("*") if path.is_dir())]:
            (folder / "__init__.py").touch()
        (top / "py.typed").touch()


def generate() -> None:
    """Build the descriptor set and the stubs, then put both in place."""
    fresh, old, descriptors = BUILD / "stubs.new", BUILD / "stubs.old", BUILD / "descriptors.new.binpb"
    for folder in (fresh, old):
        shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["buf", "build", "--exclude-source-info", "-o", descriptors], cwd=CHECKOUT, check=True)
    subprocess.run(["buf", "generate", "-o", fresh], cwd=CHECKOUT, check=True)
    mark_packages(fresh)
    if STUBS.exists():
        STUBS.rename(old)
    fresh.rename(STUBS)
    descriptors.replace(DESCRIPTORS)
    shutil.rmtree(old, ignore_errors=True)


def main() -> None:
    """Generate under a lock unless the result is current."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "stubs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = fingerprint()
        if not is_current(wanted):
            generate()
            FINGERPRINT.write_text(wanted)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as failure:
        raise SystemExit(failure.returncode) from None
