"""Builds the two wheels for other teams into dist/: the contracts, and what makes a process a member of the mesh."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGING = CHECKOUT / "packaging"
TREES = CHECKOUT / "build" / "wheel"
DIST = CHECKOUT / "dist"
WITHOUT_CODE = shutil.ignore_patterns("__pycache__")
# These need Envoy's messages, and whoever runs the mesh runs them from the checkout.
PLATFORM_ONLY = ("control_plane", "operator")
MESH_NEEDS = (
    "aiohttp",
    "cryptography",
    "grpcio",
    "grpcio-health-checking",
    "grpcio-reflection",
    "grpcio-status",
    "googleapis-common-protos",
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp-proto-grpc",
    "opentelemetry-instrumentation-grpc",
    "orjson",
    "prometheus-client",
    "protobuf",
    "protovalidate",
    "py-consul",
    "pydantic",
    "pydantic-settings",
    "structlog",
    "uvloop",
)


def project() -> dict[str, str]:
    """Give the version of the project under `version`, and its requirements by their names."""
    read = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    return {"version": read["version"], **{re.split(r"[\[<>=]", line)[0]: line for line in read["dependencies"]}}


def contracts() -> None:
    """Lay out the stubs, with the protos that other teams' contracts import."""
    tree, known = TREES / "contracts", project()
    shutil.copytree(CHECKOUT / "build" / "stubs", tree / "src", ignore=WITHOUT_CODE)
    for root in (CHECKOUT / "proto", CHECKOUT / "third_party" / "protovalidate"):
        for proto in root.rglob("*.proto"):
            shutil.copyfile(proto, tree / "src" / proto.relative_to(root))
    wanted = [known[name] for name in ("grpcio", "protobuf", "googleapis-common-protos")]
    example = (CHECKOUT / "docs" / "client-example.py").read_text()
    _fill("contracts", known["version"], wanted, {"@EXAMPLE@": example})


def mesh() -> None:
    """Lay out what a process of another team runs of the mesh."""
    tree, known = TREES / "mesh", project()
    left_out = shutil.ignore_patterns("__pycache__", *PLATFORM_ONLY)
    shutil.copytree(CHECKOUT / "mesh", tree / "src" / "mesh", ignore=left_out)
    (tree / "src" / "mesh" / "py.typed").touch()
    wanted = [known[name] for name in MESH_NEEDS] + [f"ordermesh-contracts=={known['version']}"]
    examples = {"@EXAMPLE@": "service-example.py", "@CONTRACT@": "service-example.proto"}
    texts = {name: (CHECKOUT / "docs" / file).read_text() for name, file in examples.items()}
    _fill("mesh", known["version"], wanted, texts)


def _fill(name: str, version: str, requirements: list[str], texts: dict[str, str]) -> None:
    """Add the filled-in templates and the licence."""
    shutil.copyfile(CHECKOUT / "LICENSE", TREES / name / "LICENSE")
    quoted = ", ".join(f'"{each}"' for each in requirements)
    filled = {"@VERSION@": version, "@REQUIREMENTS@": quoted, **{key: text.rstrip() for key, text in texts.items()}}
    for template in (PACKAGING / name).iterdir():
        text = template.read_text()
        for key, value in filled.items():
            text = text.replace(key, value)
        (TREES / name / template.name).write_text(text)


def build(name: str) -> None:
    """Build a laid out tree without fetching anything."""
    options = ["--wheel", "--no-isolation", "--outdir", str(DIST)]
    command = [sys.executable, "-m", "build", *options, str(TREES / name)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode:
        sys.exit(built.stdout + built.stderr)


def main() -> None:
    """Build both anew."""
    shutil.rmtree(TREES, ignore_errors=True)
    for lay_out in (contracts, mesh):
        lay_out()
        build(lay_out.__name__)
    print(*sorted(file.relative_to(CHECKOUT) for file in DIST.glob("*.whl")), sep="\n")


if __name__ == "__main__":
    main()
