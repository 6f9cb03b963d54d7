"""Writing what was made into the folder that Envoy reads from: privately, and only what differs."""

import json
from pathlib import Path

from gateway import revocations
from gateway.bootstrap import render, render_routes
from gateway.openapi import describe
from gateway.options import Options
from gateway.pages import FILES, PAGE_FOLDER
from gateway.private_files import PRIVATE_FOLDER, replace
from mesh import sds


def write(options: Options, *, generator: Path) -> tuple[str, ...]:
    """Write all files, and name those that changed. `generator` is protoc-gen-openapi; buf is found on PATH.

    Raises OpenApiError when the generator fails; then nothing is written.
    """
    files = options.files
    content = {
        **{files.folder / name: (PAGE_FOLDER / name).read_text(encoding="utf-8") for name in FILES},
        **{sds.file_of(files.folder, name): _json(secret) for name, secret in sds.secrets(files.identity).items()},
        files.openapi: _json(describe(options.contract, generator=generator)),
        files.routes: _json(render_routes(options)),
        files.bootstrap: _json(render(options)),
    }
    for folder in (files.folder, files.cache, files.kept):
        folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    if not files.revoked.exists():
        revocations.write(files.revoked, revocations.Revoked())
    return tuple(file.name for file, text in content.items() if replace(file, text))


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
