"""What is written for Envoy: private, whole, and only when it says something new."""

import json
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import Options, output, render
from gateway.openapi import OpenApiError
from gateway.pages import PAGE_FOLDER

GENERATOR = Path("protoc-gen-openapi")


@pytest.fixture
def installed(options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    """An edge with a folder to be made, and a description that takes no time."""
    monkeypatch.setattr(output, "describe", lambda _contract, generator: {"openapi": str(generator)})
    return replace(
        options,
        files=replace(options.files, folder=tmp_path / "edge", cache=tmp_path / "cache", kept=tmp_path / "kept"),
    )


def test_only_the_owner_may_read_what_holds_the_secret(installed: Options) -> None:
    """From the first moment: a file is private before it has a content."""
    output.write(installed, generator=GENERATOR)
    folder, bootstrap = installed.files.folder, installed.files.bootstrap

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(bootstrap.stat().st_mode) == 0o600
    assert json.loads(bootstrap.read_text()) == render(installed)


def test_it_says_what_changed(installed: Options) -> None:
    """Nothing the second time, and then only what is different."""
    assert {"openapi.json", "bootstrap.json"} < set(output.write(installed, generator=GENERATOR))
    assert output.write(installed, generator=GENERATOR) == ()
    assert output.write(replace(installed, zone="zone-b"), generator=GENERATOR) == ("bootstrap.json",)


def test_the_page_is_written_too_so_that_a_change_of_it_is_seen(
    installed: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Envoy reads it once, when it starts."""
    output.write(installed, generator=GENERATOR)
    shutil.copytree(PAGE_FOLDER, tmp_path / "page")
    (tmp_path / "page" / "page.css").write_text("body { color: red }")
    monkeypatch.setattr(output, "PAGE_FOLDER", tmp_path / "page")

    assert output.write(installed, generator=GENERATOR) == ("page.css",)


def test_what_an_interrupted_write_left_is_replaced(installed: Options) -> None:
    """Also when others could read it."""
    output.write(installed, generator=GENERATOR)
    left = installed.files.bootstrap.with_suffix(".new")
    left.write_text("half a fi")
    left.chmod(0o644)

    assert output.write(replace(installed, zone="zone-b"), generator=GENERATOR) == ("bootstrap.json",)
    assert stat.S_IMODE(installed.files.bootstrap.stat().st_mode) == 0o600
    assert not left.exists()


def test_nothing_is_written_when_the_description_fails(installed: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs keeps its configuration."""

    def fail(*_: object, **__: object) -> None:
        raise OpenApiError("out of ink")

    monkeypatch.setattr(output, "describe", fail)
    with pytest.raises(OpenApiError):
        output.write(installed, generator=GENERATOR)
    assert not installed.files.folder.exists()
