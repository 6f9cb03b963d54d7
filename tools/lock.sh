#!/usr/bin/env bash
# Resolves pyproject.toml anew into requirements.lock: exact versions with hashes, for every platform, naming no host.
# Then looks up the hashes of the wheels that deploy/versions.toml pins, into deploy/wheels.lock.
# uv is fetched into a scratch environment; its own lock format would name where each file came from.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"${PYTHON3:-python3}" -m venv "$scratch"
"$scratch/bin/pip" install --quiet --disable-pip-version-check uv
compile=("$scratch/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes
  --no-header --no-annotate --no-emit-index-url --no-emit-find-links)
"${compile[@]}" --group dev pyproject.toml -o requirements.lock "$@"

"$scratch/bin/python" - <<'END' | "${compile[@]}" --no-deps - -o deploy/wheels.lock
import tomllib
for pin in tomllib.load(open("deploy/versions.toml", "rb")).values():
    if pin["source"] == "pypi":
        print(f"{pin['package']}=={pin['version']}")
END
