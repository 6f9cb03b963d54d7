"""Writing what was made into the folder that Envoy reads from: privately, and only what differs."""

import json
from pathlib import Path

from gateway.bootstrap import render, render_routes
from gateway.openapi import describe
from gateway.options import Options
from gateway.pages import FILES, PAGE_FOLDER
from mesh import sds

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


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
    for folder in (files.folder, files.cache):
        folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    return tuple(file.name for file, text in content.items() if _replace(file, text))


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _replace(file: Path, text: str) -> bool:
    """Put a file in place whole, or leave it when it says the same."""
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return False
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=PRIVATE_FILE)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(file)
    return True
