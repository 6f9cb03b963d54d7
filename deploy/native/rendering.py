"""Fills the templates in deploy/ and keeps what comes out, private and only touched when it changed."""

import string
from pathlib import Path

from deploy.native.secrets import write_private

DEPLOY = Path(__file__).resolve().parents[1]


def render(template: str, **places: object) -> str:
    """Fill `deploy/<template>`; a place without a value is a KeyError."""
    return string.Template((DEPLOY / template).read_text(encoding="utf-8")).substitute(places)


def keep(path: Path, text: str) -> bool:
    """Let the file, readable by its owner only, have this text; tell whether it was another before."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    write_private(path, text)
    return True
