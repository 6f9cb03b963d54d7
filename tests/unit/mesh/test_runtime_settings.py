"""What a process makes of its document in Consul."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from mesh import telemetry
from mesh.runtime_settings import REJECTED, RuntimeSettings
from mesh.settings import MeshSettings


@pytest.fixture(autouse=True)
def level() -> Iterator[None]:
    """Put the log level back."""
    yield
    telemetry.set_log_level("INFO")


@pytest.fixture
def ratios() -> list[float]:
    """Collect the shares of traces to record."""
    return []


@pytest.fixture
def runtime(ratios: list[float]) -> RuntimeSettings:
    """Begin with what a process was started with."""
    settings = MeshSettings(service="order", port=1, metrics_port=2, log_level="WARNING", trace_sample_ratio=0.5)
    return RuntimeSettings(settings, ratios.append)


def entries(document: object) -> list[dict[str, str]]:
    """Make Consul's answer; a text is taken as it is, all else as JSON."""
    text = document if isinstance(document, str) else json.dumps(document)
    return [{"Key": "ordermesh/settings/order", "Value": base64.b64encode(text.encode()).decode()}]


def threshold() -> int:
    """Give the level below which nothing is written."""
    return telemetry._threshold.level  # noqa: SLF001


def test_a_document_changes_levels_ratios_and_flags(runtime: RuntimeSettings, ratios: list[float]) -> None:
    """All of it at once, and it says so in one line."""
    sourcing, pages, wait, greeting = (
        runtime.flag("nearest_first", default=False),
        runtime.flag("page_size", 50),
        runtime.flag("wait_seconds", 0.5),
        runtime.flag("greeting", "hello"),
    )
    flags = {"nearest_first": True, "page_size": 20, "wait_seconds": 2.5, "unknown": True}
    with capture_logs() as lines:
        runtime.hear(entries({"logLevel": "DEBUG", "traceSampleRatio": 0, "flags": flags}))
        runtime.hear(entries({"flags": flags, "logLevel": "DEBUG", "traceSampleRatio": 0}))

    assert (sourcing(), pages(), wait(), greeting()) == (True, 20, 2.5, "hello")
    assert (threshold(), ratios) == (10, [0])
    assert [line["event"] for line in lines] == ["settings changed"]


def test_without_a_document_the_start_s_settings_hold(runtime: RuntimeSettings, ratios: list[float]) -> None:
    """Deleting it takes everything back."""
    flag = runtime.flag("nearest_first", default=False)
    runtime.hear([])
    assert (threshold(), ratios) == (20, [])

    runtime.hear(entries({"logLevel": "DEBUG", "flags": {"nearest_first": True}}))
    runtime.hear([])

    assert not flag()
    assert (threshold(), ratios) == (30, [0.5, 0.5])


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{", "property name"),
        ({"logLevel": "LOUD"}, "Invalid enum value LOUD"),
        ({"loglevel": "DEBUG"}, 'no field named "loglevel"'),
        ({"traceSampleRatio": 2}, "trace_sample_ratio: must be"),
        ({"flags": {"page_size": "many"}}, "flags[page_size]: must be of type int"),
        ({"flags": {"page_size": 1.5}}, "flags[page_size]: must be of type int"),
        ({"flags": {"page_size": True}}, "flags[page_size]: must be of type int"),
        ({"flags": {"page_size": [1]}}, "flags: a flag is"),
        ({"flags": {"Page-Size": 1}}, "flags[Page-Size]: does not match"),
    ],
)
def test_a_bad_document_changes_nothing(runtime: RuntimeSettings, document: object, reason: str) -> None:
    """The last good one holds; a metric and an error in the log tell."""
    pages = runtime.flag("page_size", 50)
    runtime.hear(entries({"logLevel": "ERROR", "flags": {"page_size": 20}}))
    with capture_logs() as lines:
        runtime.hear(entries(document))
    rejected = rejections()
    runtime.hear(entries({}))

    assert reason in lines[0]["reason"]
    assert (rejected, rejections()) == (1, 0)
    assert pages() == 50


def rejections() -> float:
    """Read the metric."""
    [metric] = REJECTED.collect()
    return metric.samples[0].value


def test_a_flag_is_declared_once(runtime: RuntimeSettings) -> None:
    """Two defaults for one flag would be two truths."""
    runtime.flag("page_size", 50)

    with pytest.raises(ValueError, match="page_size is declared twice"):
        runtime.flag("page_size", 20)


def test_the_value_of_a_flag_has_the_type_of_its_default(runtime: RuntimeSettings) -> None:
    """JSON knows one kind of number only."""
    pages: Any = runtime.flag("page_size", 50)
    runtime.hear(entries({"flags": {"page_size": 20}}))

    assert type(pages()) is int
