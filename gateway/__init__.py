"""The edge: everything Envoy is told, made from the contracts and from edge.toml.

For whoever installs it:

    options = Options(
        contract=Contract.load(), messages=Messages(DESCRIPTORS), settings=EdgeSettings.load(),
        issuer=..., audience=...,
        ports=Ports(http=8080, https=8443, admin=9901, keys=9902),
        files=Files(certificate=..., private_key=..., identity=..., descriptors=..., folder=..., cache=...,
                    kept=...),
        control_plane=(9000, 9001), region="dc1", zone="zone-a",
    )
    changed = write(options, generator=<path of protoc-gen-openapi>)

`write` puts `bootstrap.json`, `routes.json`, `openapi.json`, the API page and the files that lead to the edge's
identity (mesh.sds) into `files.folder` (made with mode 0700 when missing) and answers with the names of those that
differ from what was there: when there are any, a running Envoy must be started anew. Envoy is started with
`envoy --config-path <folder>/bootstrap.json`, from any folder and without environment. It logs to stderr, and writes
its access log, one JSON object a line, to stdout. It may be started before everything but its identity. `GET /ready` on
the admin port and `GET /healthz` on the others answer 200 once it serves. `--mode validate` checks the bootstrap
without serving, and needs all of the files to be there.
"""

from gateway.bootstrap import render, render_routes
from gateway.options import Files, Options, Ports
from gateway.output import write
from gateway.schemas import Messages
from gateway.settings import EdgeSettings

__all__ = ["EdgeSettings", "Files", "Messages", "Options", "Ports", "render", "render_routes", "write"]
