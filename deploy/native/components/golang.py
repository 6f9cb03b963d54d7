"""Components built from their public Go modules, whose content `go` checks against known sums."""

import os
import shutil
from pathlib import Path

from deploy.native.components.commands import run
from deploy.native.versions import Pin

CONSUL = Path(__file__).resolve().parents[2] / "consul"
RECIPE = (CONSUL / "go.mod", CONSUL / "go.sum")


def build_consul(pin: Pin, folder: Path) -> None:
    """Build it with a go.mod of ours: the module has replacements, which `go install` refuses."""
    for file in RECIPE:
        shutil.copyfile(file, folder / file.name)
    flags = ["-mod=readonly", "-trimpath", "-ldflags=-s -w"]
    run(["go", "build", *flags, "-o", "consul", pin.origin], cwd=folder)


def install(pin: Pin, folder: Path) -> None:
    """Build a program that stands on its own."""
    run(
        ["go", "install", f"{pin.origin}@v{pin.version}"],
        cwd=folder,
        environ=os.environ | {"GOBIN": str(folder)},
    )
