"""The report says what was found, and what was not."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from bench import __main__ as command_line
from bench import report
from bench.latency import Latency
from bench.reads import ECHO, GET_ORDER, MESH_ONLY
from bench.results import Delivery, Placing, Reading, Results, Rush, Sizes

FAST = Latency(count=100, p50=0.002, p95=0.0125, p99=0.25, longest=0.3)
NOTHING = Latency.of([])


def placing(clients: int = 0, offered: float = 0.0, errors: dict[str, int] | None = None) -> Placing:
    """Orders that cost 3 ms of our Python, and 7 ms in all."""
    cpu = {"order": 0.002, "payment": 0.001, "kafka": 0.004}
    return Placing(clients, offered, 100, 50.0 + clients, FAST, errors or {}, cpu)


def reading(target: str, clients: int, rate: float) -> Reading:
    """Calls at a rate."""
    return Reading(target, clients, rate, FAST, {}, 0.0001, 0.0002)


RESULTS = Results(
    date="2026-01-02T03:04:05+00:00",
    command="python -m bench --quick",
    seconds=3,
    machine={"processor": "2 x Some CPU", "memory": "8.0 GiB"},
    python=["order", "payment"],
    rest={"order": 0.01, "payment": 0.01, "kafka": 0.05},
    memory={"order": 90 * 1024 * 1024, "payment": 80 * 1024 * 1024, "kafka": 250 * 1024 * 1024},
    others=0.01,
    client_cpu=0.0005,
    placings=[placing(1), placing(8, errors={"503 UNAVAILABLE": 2}), placing(32)],
    paced=[placing(offered=20), placing(offered=57)],
    rush=Rush(64, 80.0, 60.0, {"409 ABORTED": 3}),
    deliveries=[Delivery(20, 60, FAST), Delivery(57, 171, replace(FAST, p95=0.042))],
    readings=[
        *(reading(target, 1, rate) for target, rate in ((ECHO, 1000), (MESH_ONLY, 500))),
        *(reading(target, 32, rate) for target, rate in ((ECHO, 4000), (MESH_ONLY, 3000), (GET_ORDER, 1000))),
    ],
    sizes={GET_ORDER: Sizes(38, 320)},
)


def rows(text: str) -> list[list[str]]:
    """Read all tables of the report."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def row(text: str, *first: str) -> list[str]:
    """Find the row that begins with these cells."""
    return next(row for row in rows(text) if row[: len(first)] == list(first))


def test_ratios_are_against_the_floor_at_the_most_callers() -> None:
    """One caller waits for the network mostly; at the most callers the server is what limits."""
    assert report.ratio(RESULTS, MESH_ONLY) == 0.75
    assert report.ratio(RESULTS, GET_ORDER) == 0.25


def test_a_ratio_without_a_floor_is_none() -> None:
    """What was not measured compares with nothing."""
    assert math.isnan(report.ratio(replace(RESULTS, readings=[]), GET_ORDER))


def test_the_cpu_of_an_order_is_ours_and_everything() -> None:
    """Kafka is not our Python."""
    text = report.markdown(RESULTS)
    assert row(text, "CPU of one order, our Python, ms")[1] == "3.00"
    assert row(text, "CPU of one order, everything, ms")[1] == "7.00"
    assert row(text, "CPU of one order, our Python, in echoes served")[1] == "30"


def test_a_rush_for_one_sku_is_compared_with_one_for_many() -> None:
    """And what went wrong in it is told."""
    text = report.markdown(RESULTS)
    assert row(text, "orders/s of 64 buyers of one SKU, as a share of as many SKUs")[1] == "0.75"
    assert "errors there: 3 x 409 ABORTED" in text


def test_the_ratios_come_first() -> None:
    """Times of one machine mean little on another."""
    titles = [line for line in report.markdown(RESULTS).splitlines() if line.startswith("## ")]
    assert titles[:2] == ["## In short", "## Read path against the floor"]
    assert rows(report.markdown(RESULTS))[2][:2] == ["mesh alone, calls/s as a share of a bare echo", "0.75"]


def test_every_error_is_in_the_report() -> None:
    """None is tolerated silently."""
    assert row(report.markdown(RESULTS), "8 clients")[-1] == "2 x 503 UNAVAILABLE"


def test_each_call_stands_beside_the_echo_of_as_many_callers() -> None:
    """500 calls a second of 1000 are a half."""
    assert row(report.markdown(RESULTS), MESH_ONLY, "1")[2:4] == ["500", "0.50"]


def test_every_program_has_its_memory() -> None:
    """The largest first, and all of it at the end."""
    memory = report.markdown(RESULTS).partition("## Memory")[2]
    assert rows(memory)[2:] == [["kafka", "250"], ["order", "90"], ["payment", "80"], ["everything", "420"]]


def test_tables_are_whole() -> None:
    """A row of another width breaks a table for its readers."""
    for block in report.markdown(RESULTS).split("\n\n"):
        assert len({len(each) for each in rows(block)}) <= 1


@pytest.mark.parametrize(("others", "disturbed"), [(0.02, False), (1.2, True)])
def test_a_machine_that_does_other_things_is_told_of(others: float, *, disturbed: bool) -> None:
    """Figures of such a run are no figures of ours."""
    assert ("Not a quiet machine" in report.markdown(replace(RESULTS, others=others))) is disturbed


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.00123, "1.23"), (0.0456, "45.6"), (1.234, "1234"), (math.nan, "-"), (0.0, "0.00")]
)
def test_times_have_the_digits_that_say_something(seconds: float, text: str) -> None:
    """Nobody needs the microseconds of a second."""
    assert report.milliseconds(seconds) == text


def test_all_figures_are_kept_for_programs(tmp_path: Path) -> None:
    """The JSON file is strict JSON, and what was not measured is null in it."""
    results = replace(RESULTS, deliveries=[Delivery(20, 0, NOTHING), Delivery(57, 0, NOTHING)])
    text, figures = command_line.write(results, tmp_path / "reports")
    assert text.read_text() == report.markdown(results)
    kept = json.loads(figures.read_text(), parse_constant=pytest.fail)
    assert kept["deliveries"][0]["age"]["p95"] is None
    assert kept["placings"][1]["errors"] == {"503 UNAVAILABLE": 2}
    assert row(text.read_text(), "commit to consumer, p95 ms")[1] == "-"
