"""The edge's figures: read from edge.toml, overridden one by one, and checked."""

import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway import EdgeSettings
from gateway.settings import DEFAULT_FILE
from mesh.contract import RateClass


def test_a_user_may_call_a_thousand_times_a_minute() -> None:
    """As promised to customers; and every rate class of the contracts has its figures."""
    rates = EdgeSettings.load().rates

    assert (rates["DEFAULT"].requests, rates["DEFAULT"].seconds) == (1000, 60)
    assert rates.keys() == {each.name for each in RateClass}


def test_an_override_changes_one_figure_and_leaves_its_neighbours() -> None:
    """The last one counts."""
    settings = EdgeSettings.load(overrides=("rates.STRICT.requests=7", "retries.attempts=1", "retries.attempts=0"))

    assert (settings.rates["STRICT"].requests, settings.rates["STRICT"].seconds) == (7, 60)
    assert settings.rates["DEFAULT"] == EdgeSettings.load().rates["DEFAULT"]
    assert settings.retries.attempts == 0


def test_lists_are_overridden_as_a_whole() -> None:
    """In TOML's notation."""
    settings = EdgeSettings.load(overrides=('cors.origins=["https://shop.example"]',))

    assert settings.cors.origins == ("https://shop.example",)


@pytest.mark.parametrize(
    "override",
    [
        "limits.max_body_bites=1",  # no such figure
        "limit.max_body_bytes=1",  # no such section
        "limits.max_body_bytes=0",
        "limits.max_body_bytes='many'",
        "limits=1",
        "rates.DEFAULT.seconds=-60",
        "rates.LENIENT.requests=1",  # half an entry
    ],
)
def test_a_figure_that_means_nothing_is_refused(override: str) -> None:
    """Before anything starts with it."""
    with pytest.raises(ValidationError):
        EdgeSettings.load(overrides=(override,))


def test_a_missing_figure_is_refused(tmp_path: Path) -> None:
    """There are no defaults besides edge.toml."""
    file = tmp_path / "edge.toml"
    file.write_text("[limits]\nmax_body_bytes = 1\n")

    with pytest.raises(ValidationError, match="max_connections"):
        EdgeSettings.load(file)


def test_a_rate_class_without_figures_is_refused(tmp_path: Path) -> None:
    """Otherwise its calls would not be counted."""
    file = tmp_path / "edge.toml"
    file.write_text(DEFAULT_FILE.read_text().replace("[rates.STRICT]", "[rates.OTHER]"))

    with pytest.raises(ValidationError, match="STRICT"):
        EdgeSettings.load(file)


def test_what_is_no_toml_is_refused() -> None:
    """As TOML's own error, with the place."""
    with pytest.raises(tomllib.TOMLDecodeError):
        EdgeSettings.load(overrides=("rates.DEFAULT",))
