"""The API page is whole, and asks nobody but the edge for anything."""

import re

import pytest

from gateway import Options
from gateway.pages import FILES, LARGEST_PAGE_BYTES, PAGE_FOLDER, PAGE_POLICY, page_routes

TEXTS = {name: (PAGE_FOLDER / name).read_text() for name in FILES}
REFERENCES = re.compile(r"""(?:src|href|from|import) ?=?\s*["'](?P<path>[./][^"']*)["']""")


def served(options: Options) -> set[str]:
    """The paths of pages."""
    return {route["match"]["path"] for route in page_routes(options) if "path" in route["match"]}


def test_every_file_is_served(options: Options) -> None:
    """With a type that browsers believe: they do not guess."""
    assert {each.name for each in PAGE_FOLDER.iterdir()} == set(FILES)
    assert {f"/docs/{name}" for name in FILES if name != "index.html"} < served(options)


@pytest.mark.parametrize("name", FILES)
def test_what_a_file_refers_to_is_there(options: Options, name: str) -> None:
    """Scripts, styles and links."""
    for found in REFERENCES.finditer(TEXTS[name]):
        path = found["path"].replace("./", "/docs/", 1) if found["path"].startswith(".") else found["path"]
        assert path in served(options)


@pytest.mark.parametrize("name", FILES)
def test_nothing_comes_from_elsewhere(name: str) -> None:
    """Nor is text ever taken for HTML or for a program."""
    for forbidden in (
        "http://",
        "https://",
        "innerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "localStorage",
    ):
        assert forbidden not in TEXTS[name]


def test_browsers_are_told_so_too() -> None:
    """No inline script or style, no frame, and no form that would put a password into an address."""
    assert "default-src 'none'" in PAGE_POLICY
    assert "form-action 'none'" in PAGE_POLICY
    assert "unsafe" not in PAGE_POLICY
    assert not re.search(r"<style|<script>|\son\w+=|\sstyle=", TEXTS["index.html"])


def test_the_pages_fit_into_what_envoy_takes() -> None:
    """It refuses to start otherwise."""
    assert max(len(text) for text in TEXTS.values()) < LARGEST_PAGE_BYTES


def test_the_last_route_knows_nothing(options: Options) -> None:
    """Whatever no other takes is not found."""
    *_, last = page_routes(options)

    assert (last["match"], last["direct_response"]["status"]) == ({"prefix": "/"}, 404)
