"""What the edge makes of the contracts, for people and for files: `python -m gateway routes`, `… openapi`, `… reasons`.

The bootstrap itself is written for an installation: see `gateway.write` and deploy/native/provision/envoy.py.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from gateway.openapi import OpenApiError, describe
from gateway.reasons import reasons
from mesh.contract import Contract, MethodPolicy


def main() -> None:
    """Print what was asked for."""
    arguments = _parser().parse_args()
    contract = Contract.load()
    if arguments.what == "routes":
        print("\n".join(_table(contract)))
    elif arguments.what == "reasons":
        print("\n".join(f"{each.status}  {each.name:26} {each.source:13} {each.sentence}" for each in reasons()))
    else:
        print(json.dumps(describe(contract, generator=arguments.generator), indent=1, ensure_ascii=False))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gateway", description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    commands.add_parser("routes", help="every route with its access, deadline, idempotency and rate")
    commands.add_parser("reasons", help="every reason that an error may have")
    openapi = commands.add_parser("openapi", help="the description of the REST API as JSON")
    openapi.add_argument("--generator", type=Path, required=True, help="protoc-gen-openapi")
    return parser


def _table(contract: Contract) -> Iterator[str]:
    """Write a line for each REST path; gRPC paths are the names at the end of the line."""
    yield f"{'':6} {'path':36} {'access':20} {'deadline':>8}  {'idempotency':11} {'rate':8} method"
    rows = sorted(
        (binding.path, binding.verb, method)
        for method in contract.methods
        if method.access.is_routed
        for binding in method.bindings
    )
    for path, verb, method in rows:
        yield f"{verb:6} {path:36} {_access(method):20} {_facts(method)}"


def _access(method: MethodPolicy) -> str:
    return method.access.permission or method.access.kind.value


def _facts(method: MethodPolicy) -> str:
    deadline = f"{method.deadline.total_seconds():g} s"
    return f"{deadline:>8}  {method.idempotency.name:11} {method.rate.name:8} {method.full_name}"


if __name__ == "__main__":
    try:
        main()
    except OpenApiError as error:
        sys.exit(str(error))
