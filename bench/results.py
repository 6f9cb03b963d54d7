"""What one run of the bench found, in seconds, bytes and CPU seconds; all of it goes into the JSON file."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.latency import Latency


@dataclass(frozen=True, slots=True)
class Placing:
    """Orders placed at the edge, by so many clients at once or at an offered rate; the other of the two is 0.

    `cpu` is what each program spent on one order, and on all that follows from it, such as events and e-mails.
    """

    clients: int
    offered: float
    orders: int
    rate: float
    latency: Latency
    errors: Mapping[str, int]
    cpu: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Rush:
    """So many buyers at once: orders in a second when they want as many SKUs, and when all want the same one."""

    clients: int
    spread: float
    hot: float
    errors: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How old events were when a consumer had them, while orders were placed at a rate."""

    offered: float
    orders: int
    age: Latency


@dataclass(frozen=True, slots=True)
class Reading:
    """gRPC calls straight to one process, by so many callers at once; `…_cpu` is for one call."""

    target: str
    clients: int
    rate: float
    latency: Latency
    errors: Mapping[str, int]
    server_cpu: float
    client_cpu: float


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes in bytes of a message asked and answered."""

    request: int
    reply: int


@dataclass(frozen=True, slots=True)
class Results:
    """One run. `python` names the programs that are our own Python.

    `rest` is the CPU that each program takes while nobody calls, `others` what everything took that is neither the
    stack nor the bench: both in CPU seconds a second. Orders make the bench itself spend `client_cpu` each.
    """

    date: str
    command: str
    seconds: float
    machine: Mapping[str, str]
    python: list[str]
    rest: Mapping[str, float]
    memory: Mapping[str, int]
    others: float
    client_cpu: float
    placings: list[Placing]
    paced: list[Placing]
    rush: Rush
    deliveries: list[Delivery]
    readings: list[Reading]
    sizes: Mapping[str, Sizes]
