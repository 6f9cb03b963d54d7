"""Events as they arrive at a consumer, whatever happens to Connect and the broker, and how old they are by then."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.native import event_log
from deploy.native.event_log import Contracts
from deploy.native.provision.kafka_clients import as_operator
from deploy.native.runtime import Runtime
from tests.chaos.soak.tally import percentile

TOPIC = "order-events"
SLICE_S = 2.0


class News:
    """A follower of the topic, in a thread of its own."""

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self.newest = 0.0
        """When the newest event that arrived was recorded, in seconds since 1970."""
        self.behind: list[float] = []
        """How many seconds after it was recorded each event arrived."""

    def figures(self) -> dict[str, object]:
        """Sum up."""
        ranks = {f"p{percent}_ms": percentile(self.behind, percent) for percent in (50, 95, 99)}
        return {"events": len(self.behind), **ranks, "longest_s": round(max(self.behind, default=0.0), 1)}

    def follow(self, stack: Runtime, done: threading.Event) -> None:
        """Listen until told to stop."""
        contracts = Contracts(stack.checkout / "build" / "descriptors.binpb")
        _, end = event_log.tail(as_operator(stack), TOPIC, last=0)
        for event in event_log.follow(as_operator(stack), end, contracts, until=done):
            recorded = event.occurred_at.timestamp()
            self.newest = max(self.newest, recorded)
            self.behind.append(time.time() - recorded)


@contextmanager
def heard(stack: Runtime) -> Iterator[News]:
    """Listen while the body runs."""
    news, done = News(), threading.Event()
    listener = threading.Thread(target=news.follow, args=(stack, done), name="news")
    listener.start()
    try:
        yield news
    finally:
        done.set()
        listener.join()
