"""Builds dist/ordermesh_contracts-<version>-py3-none-any.whl from the generated stubs, for other teams."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
TEMPLATES = CHECKOUT / "packaging" / "contracts"
TREE = CHECKOUT / "build" / "wheel"


def values() -> dict[str, str]:
    """What the templates leave open; versions and requirements are those of the project itself."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    requirements = {re.split(r"[\[<>=]", line)[0]: line for line in project["dependencies"]}
    return {
        "@VERSION@": project["version"],
        "@GRPCIO@": requirements["grpcio"],
        "@PROTOBUF@": requirements["protobuf"],
        "@GOOGLEAPIS@": requirements["googleapis-common-protos"],
        "@EXAMPLE@": (CHECKOUT / "docs" / "client-example.py").read_text().rstrip(),
    }


def lay_out() -> None:
    """Put the generated packages, the filled-in templates and the licence into one source tree."""
    shutil.rmtree(TREE, ignore_errors=True)
    shutil.copytree(CHECKOUT / "build" / "stubs", TREE / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(CHECKOUT / "LICENSE", TREE / "LICENSE")
    filled = values()
    for template in TEMPLATES.iterdir():
        text = template.read_text()
        for name, value in filled.items():
            text = text.replace(name, value)
        (TREE / template.name).write_text(text)


def main() -> None:
    """Lay out the tree and build it without fetching anything."""
    lay_out()
    output = CHECKOUT / "dist"
    options = ["--wheel", "--no-isolation", "--outdir", str(output)]
    command = [sys.executable, "-m", "build", *options, str(TREE)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode:
        sys.exit(built.stdout + built.stderr)
    print(*sorted(file.relative_to(CHECKOUT) for file in output.glob("*.whl")), sep="\n")


if __name__ == "__main__":
    main()
