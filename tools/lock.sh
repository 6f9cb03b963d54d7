#!/usr/bin/env bash
# Resolves pyproject.toml anew into requirements.lock: exact versions with hashes, for every platform, naming no host.
# uv is fetched into a scratch environment; its own lock format would name where each file came from.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"${PYTHON3:-python3}" -m venv "$scratch"
"$scratch/bin/pip" install --quiet --disable-pip-version-check uv
"$scratch/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url --no-emit-find-links --group dev pyproject.toml -o requirements.lock "$@"
