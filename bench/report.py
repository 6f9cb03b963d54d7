"""The results as people read them: Markdown with a short table for each question, ratios against the floor first."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter

from bench.latency import Latency
from bench.reads import BY_XDS, ECHO, GET_ORDER, GET_PRODUCT, MESH_ONLY
from bench.results import Placing, Reading, Results

MIB = 1024 * 1024
# Above this share of the machine, what others did meanwhile says more than what we measured.
DISTURBED = 0.05

SERVER_CPU, CLIENT_CPU = attrgetter("server_cpu"), attrgetter("client_cpu")

Row = Sequence[str]


def markdown(results: Results) -> str:
    """Write the report."""
    parts = [
        f"# Bench\n\n{results.date}, `{results.command}`, {results.seconds:g} s a measurement.",
        "\n".join(f"- {name}: {value}" for name, value in results.machine.items()),
        _disturbance(results),
        "## In short\n\n" + table(("what", "measured", "goal"), _headlines(results)),
        "## Read path against the floor\n\n" + _reads(results),
        "## Placing orders through the edge\n\n" + _placings(results),
        "## CPU of one order\n\n" + _cpu(results),
        "## From commit to consumer\n\n" + _deliveries(results),
        "## Memory\n\n" + _memory(results),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def table(headings: Row, rows: Iterable[Row]) -> str:
    """Lay out a table; all but the first column are numbers, and stand to the right."""
    rule = ("---", *("---:" for _ in headings[1:]))
    return "\n".join(f"| {' | '.join(row)} |" for row in (headings, rule, *rows))


def milliseconds(seconds: float) -> str:
    """Write a time in ms with as many digits as say something; a dash when nothing was measured."""
    if math.isnan(seconds):
        return "-"
    value = seconds * 1000
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"  # noqa: PLR2004


def clients(count: int) -> str:
    """Say how many."""
    return f"{count} client" if count == 1 else f"{count} clients"


def ratio(results: Results, target: str, other: str = ECHO) -> float:
    """Compare how often a target answers with how often another does, at the most callers; NaN without either."""
    rates = {name: each.rate for name, each in _at_most_callers(results).items()}
    return rates.get(target, math.nan) / (rates.get(other) or math.nan)


def cost(results: Results, side: Callable[[Reading], float]) -> float:
    """Compare the CPU of a call through the mesh with that of an echo, on one side; NaN without either."""
    spent = {name: side(each) for name, each in _at_most_callers(results).items()}
    return spent.get(MESH_ONLY, math.nan) / (spent.get(ECHO) or math.nan)


def _at_most_callers(results: Results) -> dict[str, Reading]:
    most = max((each.clients for each in results.readings), default=0)
    return {each.target: each for each in results.readings if each.clients == most}


def cpu_of(results: Results, placing: Placing) -> tuple[float, float]:
    """Sum up the CPU seconds of one order: of our Python, and of everything."""
    return sum(placing.cpu.get(name, 0.0) for name in results.python), sum(placing.cpu.values())


def _headlines(results: Results) -> list[Row]:
    eight = next((each for each in results.placings if each.clients == 8), results.placings[0])  # noqa: PLR2004 - the goal's
    ours, everything = cpu_of(results, eight)
    echo = min((each.server_cpu for each in results.readings if each.target == ECHO), default=math.nan)
    return [
        ("mesh alone, calls/s as a share of a bare echo", f"{ratio(results, MESH_ONLY):.2f}", "≥ 0.7"),
        ("mesh alone, server CPU of a call in bare echoes", f"{cost(results, SERVER_CPU):.2f}", ""),
        ("mesh alone, client CPU of a call in bare echoes", f"{cost(results, CLIENT_CPU):.2f}", ""),
        ("GetOrder by xDS, calls/s as a share of GetOrder", f"{ratio(results, BY_XDS, GET_ORDER):.2f}", ""),
        ("GetOrder with PostgreSQL, calls/s as a share of a bare echo", f"{ratio(results, GET_ORDER):.2f}", ""),
        ("GetProduct with PostgreSQL, the same", f"{ratio(results, GET_PRODUCT):.2f}", ""),
        ("CPU of one order, our Python, in echoes served", f"{ours / echo:.0f}", ""),
        ("CPU of one order, our Python, ms", milliseconds(ours), "≤ 5"),
        ("CPU of one order, everything, ms", milliseconds(everything), "≤ 10"),
        (f"orders/s at {clients(eight.clients)}", f"{eight.rate:.1f}", "≥ 150"),
        (
            f"orders/s of {results.rush.clients} buyers of one SKU, as a share of as many SKUs",
            f"{results.rush.hot / (results.rush.spread or math.nan):.2f}",
            "≥ 0.5",
        ),
        ("order placed at 70 % of saturation, p95 ms", milliseconds(results.paced[-1].latency.p95), "< 200"),
        ("commit to consumer, p95 ms", milliseconds(results.deliveries[-1].age.p95), "< 100"),
        ("memory of everything, MB", f"{sum(results.memory.values()) / MIB:.0f}", ""),
    ]


def _disturbance(results: Results) -> str:
    cores = int(results.machine["processor"].split()[0])
    if results.others / cores <= DISTURBED:
        return f"Other programs took {results.others:.2f} of {cores} cores meanwhile."
    return (
        f"**Not a quiet machine:** other programs took {results.others:.2f} of {cores} cores meanwhile. Rates and times"
        " are worse than they would be; ratios and CPU per order suffer less."
    )


def _reads(results: Results) -> str:
    sizes = ", ".join(f"{name} {size.request} B asked, {size.reply} B answered" for name, size in results.sizes.items())
    note = f"The echo answers messages as large as GetOrder's. {sizes}. Everything is one process a side.\n\n"
    return note + table(
        ("call", "callers", "calls/s", "of echo", *_LATENCY, "server CPU µs", "client CPU µs", "errors"),
        [
            (
                each.target,
                str(each.clients),
                f"{each.rate:.0f}",
                f"{each.rate / _echo_beside(results, each):.2f}",
                *_latency(each.latency),
                f"{each.server_cpu * 1e6:.0f}",
                f"{each.client_cpu * 1e6:.0f}",
                _errors(each.errors),
            )
            for each in results.readings
        ],
    )


def _echo_beside(results: Results, reading: Reading) -> float:
    rates = (each.rate for each in results.readings if each.target == ECHO and each.clients == reading.clients)
    return next(rates, 0.0) or math.nan


def _placings(results: Results) -> str:
    rows = [(_load(each), f"{each.rate:.1f}", *_latency(each.latency), _errors(each.errors)) for each in _all(results)]
    rush = results.rush
    hot = (
        f"\n\n{clients(rush.clients)} place {rush.spread:.1f} a second of {rush.clients} SKUs and {rush.hot:.1f} of one"
    )
    hot += f"; errors there: {_errors(rush.errors)}."
    note = (
        "Clients order again as soon as they are answered; at a rate, a time counts from when the order was due. The"
        f" client itself takes {milliseconds(results.client_cpu)} ms of CPU an order, on the same machine.\n\n"
    )
    return note + table(("load", "orders/s", *_LATENCY, "errors"), rows) + hot


def _all(results: Results) -> list[Placing]:
    return [*results.placings, *results.paced]


def _load(placing: Placing) -> str:
    return clients(placing.clients) if placing.clients else f"{placing.offered:.0f}/s"


def _cpu(results: Results) -> str:
    columns = [clients(each.clients) for each in results.placings]
    names = sorted(results.rest, key=lambda name: -results.placings[-1].cpu.get(name, 0.0))
    rows = [_cpu_row(results, name, {name}) for name in names]
    rows += [_cpu_row(results, "our Python", set(results.python)), _cpu_row(results, "everything", set(names))]
    note = (
        "In ms, until all its events and e-mails are done. What a program takes at rest is within, and by itself in the"
        " last column, in thousandths of a core.\n\n"
    )
    return note + table(("program", *columns, "at rest"), rows)


def _cpu_row(results: Results, title: str, names: set[str]) -> Row:
    spent = [sum(each.cpu.get(name, 0.0) for name in names) for each in results.placings]
    rest = sum(results.rest.get(name, 0.0) for name in names)
    return (title, *map(milliseconds, spent), f"{rest * 1000:.0f}")


def _deliveries(results: Results) -> str:
    rows = [
        (f"{each.offered:.0f}/s", str(each.orders), str(each.age.count), *_latency(each.age))
        for each in results.deliveries
    ]
    note = (
        "The age of order events at a consumer of its own, by the clock that dated them just before their commit.\n\n"
    )
    return note + table(("load", "orders", "events", *_LATENCY), rows)


def _memory(results: Results) -> str:
    by_size = sorted(results.memory.items(), key=lambda each: -each[1])
    rows = [(name, f"{size / MIB:.0f}") for name, size in [*by_size, ("everything", sum(results.memory.values()))]]
    return "After the orders, in MB; what processes share counts in parts (PSS).\n\n" + table(("program", "MB"), rows)


_LATENCY = ("p50 ms", "p95 ms", "p99 ms")


def _latency(latency: Latency) -> Row:
    return tuple(map(milliseconds, (latency.p50, latency.p95, latency.p99)))


def _errors(errors: Mapping[str, int]) -> str:
    return ", ".join(f"{count} x {name}" for name, count in errors.items()) or "none"
