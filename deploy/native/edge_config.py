"""`make edge-config`: what the edge of this checkout is told, and whether Envoy takes it.

Nothing has to be installed before but Envoy: what it reads beside its configuration is made in a scratch folder.
"""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gateway
from deploy.native import certificates, command_line, components
from deploy.native.components import Components
from deploy.native.errors import StackError
from deploy.native.provision.envoy import options_of
from gateway import Options
from gateway.envoy import Json

TIMEOUT_S = 60


def command(argv: Sequence[str]) -> None:
    """Print the bootstrap and the routes as one JSON object, or have Envoy judge them."""
    parser = command_line.parser("edge-config", __doc__)
    parser.add_argument("--validate", action="store_true", help="have Envoy check it, and print nothing else")
    arguments = parser.parse_args(argv)
    runtime = command_line.this_stack()
    options = options_of(runtime)
    if arguments.validate:
        programs = components.locate(cache=components.cache_directory(), versions=runtime.versions)
        with tempfile.TemporaryDirectory() as folder:
            validate(_moved(options, Path(folder)), programs)
        print("edge: Envoy takes its configuration")
    else:
        told = {"bootstrap": gateway.render(options), "routes": gateway.render_routes(options)}
        print(json.dumps(told, indent=1, ensure_ascii=False))


def validate(options: Options, programs: Components) -> None:
    """Write the configuration and let Envoy read all of it. Raises StackError with its complaint.

    It reads a file of routes only when it serves, so here they stand where they are used.
    """
    gateway.write(options, generator=programs.protoc_gen_openapi)
    (routes,) = gateway.render_routes(options)["resources"]
    whole = options.files.folder / "whole.json"
    whole.write_text(json.dumps(_inlined(gateway.render(options), routes)), encoding="utf-8")
    arguments = (programs.envoy, "--mode", "validate", "--log-level", "warning", "-c", whole)
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    if done.returncode:
        raise StackError(f"Envoy refuses the edge's configuration:\n{done.stdout}{done.stderr}".rstrip())


def _inlined(value: Any, routes: Json) -> Any:  # noqa: ANN401 - any JSON value
    """Put the routes where a listener says that they are in a file."""
    if isinstance(value, list):
        return [_inlined(each, routes) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _inlined(each, routes) for name, each in value.items() if name != "rds"}
    plain = {name: each for name, each in routes.items() if name != "@type"}
    return kept | ({"route_config": plain} if "rds" in value else {})


def _moved(options: Options, folder: Path) -> Options:
    """Put what it reads into a scratch folder, with certificates that serve nobody."""
    pair = certificates.ensure(folder / "tls", options.region).edge
    files = replace(
        options.files,
        certificate=pair.certificate,
        private_key=pair.key,
        identity=folder / "identity",
        folder=folder / "edge",
        cache=folder / "cache",
        kept=folder / "kept",
    )
    return replace(options, files=files)
