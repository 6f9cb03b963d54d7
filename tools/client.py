"""Makes the TypeScript client of the REST API in build/client, and a package of it in dist/ for web teams.

The types come from build/openapi.json, as `make openapi` writes it. Node and the packages that make the client stay
in the cache; the latter under the digest of their lock file.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from deploy.native import components
from deploy.native.components import folder
from deploy.native.components.commands import run
from deploy.native.errors import StackError
from deploy.native.runtime import Runtime
from tools.wheel import project

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGING = CHECKOUT / "packaging" / "client"
EXAMPLE = CHECKOUT / "docs" / "client-example.ts"
DESCRIPTION = CHECKOUT / "build" / "openapi.json"
TREE = CHECKOUT / "build" / "client"
VERSION = project()["version"]
PACKAGE = CHECKOUT / "dist" / f"ordermesh-client-{VERSION}.tgz"
LOCKED = (PACKAGING / "package.json", PACKAGING / "package-lock.json", PACKAGING / ".npmrc")
GENERATOR = "node_modules/openapi-typescript/bin/cli.js"
COMPILER = "node_modules/typescript/bin/tsc"


def environment() -> dict[str, str]:
    """Put node and npm first on PATH, and install them if need be."""
    cache, versions = components.cache_directory(), Runtime.load(CHECKOUT, os.environ).versions
    components.install(["node"], cache=cache, versions=versions, report=components.show)
    found = components.locate(cache=cache, versions=versions).node_bin
    return os.environ | {"PATH": f"{found}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def packages(environ: Mapping[str, str]) -> Path:
    """Install what the lock file names, once; give its `node_modules`."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in LOCKED)).hexdigest()[:8]
    installed = components.cache_directory() / f"client-packages-{digest}"
    folder.make(installed, partial(_install, environ))
    return installed / "node_modules"


def _install(environ: Mapping[str, str], where: Path) -> None:
    for file in LOCKED:
        shutil.copy(file, where)
    run(["npm", "ci"], cwd=where, environ=environ)


def lay_out(node_modules: Path) -> None:
    """Copy the sources, with the version of the project and the example filled in."""
    shutil.rmtree(TREE, ignore_errors=True)
    shutil.copytree(PACKAGING, TREE)
    (TREE / "node_modules").symlink_to(node_modules)
    shutil.copy(CHECKOUT / "LICENSE", TREE)
    package = json.loads((TREE / "package.json").read_text())
    (TREE / "package.json").write_text(json.dumps(package | {"version": VERSION}, indent=2) + "\n")
    readme = (TREE / "README.md").read_text()
    (TREE / "README.md").write_text(readme.replace("@EXAMPLE@", EXAMPLE.read_text().rstrip()))


def build(environ: Mapping[str, str]) -> None:
    """Generate the types, compile everything strictly, and pack it."""
    PACKAGE.parent.mkdir(exist_ok=True)
    run(["node", GENERATOR, DESCRIPTION, "--output", "src/schema.ts"], cwd=TREE, environ=environ)
    run(["node", COMPILER], cwd=TREE, environ=environ)
    run(["npm", "pack", "--pack-destination", PACKAGE.parent], cwd=TREE, environ=environ)


def main() -> None:
    """Make it anew."""
    environ = environment()
    lay_out(packages(environ))
    build(environ)
    print(PACKAGE.relative_to(CHECKOUT))


if __name__ == "__main__":
    try:
        main()
    except StackError as error:
        sys.exit(str(error))
