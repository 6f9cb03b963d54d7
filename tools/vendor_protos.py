"""Refreshes third_party/ from pinned packages: google's protos from a wheel, those of others from Go modules.

Run by `make vendor` after googleapis-common-protos (requirements.lock), protovalidate-protos or consul-protos
(deploy/versions.toml) moved. The files are copied as they are and never edited.
"""

import importlib.metadata
import json
import shutil
import subprocess
import tempfile
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
THIRD_PARTY = CHECKOUT / "third_party"
GOOGLE_API = ("annotations.proto", "field_behavior.proto", "http.proto", "httpbody.proto")
GOOGLE_PACKAGES = ("google/rpc", "google/type")


def copy(source: Path, target: Path) -> None:
    """Copy one file, making its folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def is_vendored(path: str) -> bool:
    """Tell whether the contracts may import this file of googleapis-common-protos."""
    folder, _, name = path.rpartition("/")
    return name.endswith(".proto") and (folder in GOOGLE_PACKAGES or (folder == "google/api" and name in GOOGLE_API))


def vendor_google(target: Path) -> None:
    """Copy the google protos and their licence out of the installed wheel."""
    distribution = importlib.metadata.distribution("googleapis-common-protos")
    for file in distribution.files or ():
        if is_vendored(file.as_posix()):
            copy(Path(str(file.locate())), target / file)
        elif file.name == "LICENSE":
            copy(Path(str(file.locate())), target / "LICENSE")


def vendor_protovalidate(target: Path) -> None:
    """Copy buf/validate and its licence."""
    module = go_module("protovalidate-protos")
    copy(module / "LICENSE", target / "LICENSE")
    copy(module / "proto/protovalidate/buf/validate/validate.proto", target / "buf/validate/validate.proto")


def vendor_consul(target: Path) -> None:
    """Copy Consul's certificate authority and what it imports, with their licence."""
    module = go_module("consul-protos")
    for file in ("LICENSE", "pbconnectca/ca.proto", "annotations/ratelimit/ratelimit.proto"):
        copy(module / file, target / file)


def go_module(name: str) -> Path:
    """Fetch a pinned Go module, whose checksum `go` verifies, and return its folder."""
    pin = tomllib.loads((CHECKOUT / "deploy" / "versions.toml").read_text())[name]
    with tempfile.TemporaryDirectory() as elsewhere:
        command = ["go", "mod", "download", "-json", f"{pin['module']}@v{pin['version']}"]
        return Path(json.loads(subprocess.check_output(command, cwd=elsewhere))["Dir"])


def main() -> None:
    """Replace all trees."""
    vendors = {"googleapis": vendor_google, "protovalidate": vendor_protovalidate, "consul": vendor_consul}
    for name, vendor in vendors.items():
        shutil.rmtree(THIRD_PARTY / name, ignore_errors=True)
        vendor(THIRD_PARTY / name)


if __name__ == "__main__":
    main()
