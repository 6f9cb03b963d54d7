#!/usr/bin/env bash
# Compares the contracts with those of the last commit that has any: what was published may be added to, not changed.
# ORDERMESH_BREAKING_AGAINST names another commit, such as a release's tag.
set -euo pipefail
cd "$(dirname "$0")/.."

previous=""
for ref in ${ORDERMESH_BREAKING_AGAINST:-origin/main main HEAD}; do
  # A fresh or shallow clone may lack any of them; `git cat-file` also refuses a commit without contracts.
  if git cat-file -e "$ref:buf.yaml" 2>/dev/null && git cat-file -e "$ref:proto" 2>/dev/null; then
    previous=$ref
    break
  fi
done
if [ -z "$previous" ]; then
  echo "buf breaking: no earlier contracts to compare with"
  exit 0
fi

before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
git archive "$previous" buf.yaml proto third_party | tar -x -C "$before"
# As one image each, since the modules that are vendored may have become more or fewer.
(cd "$before" && buf build --path proto/ordermesh -o before.binpb)
buf build --path proto/ordermesh -o "$before/now.binpb"
buf breaking "$before/now.binpb" --against "$before/before.binpb" --config '{"version":"v2","breaking":{"use":["WIRE_JSON"]}}' \
  --exclude-imports
