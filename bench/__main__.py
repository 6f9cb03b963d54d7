"""`make bench`: measure the running stack and write the report."""

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from bench import report
from bench.errors import BenchError
from bench.measuring import Measuring, Plan
from bench.results import Results
from bench.stack import Stack
from deploy.native.errors import StackError
from deploy.native.runtime import Runtime

CHECKOUT = Path(__file__).resolve().parents[1]
REPORTS = CHECKOUT / "bench" / "reports"
SECONDS, QUICK_SECONDS = 10.0, 3.0


def main(argv: Sequence[str]) -> None:
    """Follow the command line; what a person can mend is told without a traceback."""
    options = _parser().parse_args(argv)
    seconds = QUICK_SECONDS if options.quick else options.seconds
    plan = Plan(seconds, " ".join(["python -m bench", *argv]))
    try:
        stack = Stack.find(Runtime.load(CHECKOUT, os.environ))
        results = uvloop.run(Measuring(stack, plan, lambda text: print(text, flush=True)).run())
    except (BenchError, StackError) as error:
        sys.exit(f"error: {error}")
    for path in write(results, options.reports):
        print(f"written: {path}")


def write(results: Results, folder: Path) -> list[Path]:
    """Write the report for people, and all figures for programs."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "latest.md", folder / "latest.json"]
    paths[0].write_text(report.markdown(results), encoding="utf-8")
    paths[1].write_text(json.dumps(_plain(asdict(results)), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return paths


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever JSON has
    """Write what was not measured as null: JSON has no NaN."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=_positive, default=SECONDS, help="of each measurement (default: %(default)g)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SECONDS:g} seconds each")
    parser.add_argument("--reports", type=Path, default=REPORTS, help="the folder to write to (default: bench/reports)")
    return parser


def _positive(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError("must be more than 0")
    return seconds


if __name__ == "__main__":
    main(sys.argv[1:])
