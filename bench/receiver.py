"""A consumer of its own group that notes how old each event is when it arrives, on the clock that dated it.

Run as `python -m bench.receiver PROPERTIES TOPIC` it connects with what stands in a file, reads from the end of the
topic, and prints the ages in seconds as JSON once its input has ended and no more events come.
"""

import json
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

from confluent_kafka import Consumer, Message, TopicPartition

GROUP = "operator-bench"
READY = "ready"
REQUEST_TIMEOUT_S = 10
POLL_S = 0.2
# How long after the last event it is believed to be the last, and how long it waits for that in all.
QUIET_S = 2.0
PATIENCE_S = 30.0


class Ages:
    """The ages of the events of one topic, from now on."""

    def __init__(self, consumer: Consumer, topic: str) -> None:
        """Begin at the end of each partition."""
        self.seconds: list[float] = []
        self._consumer = consumer
        consumer.assign(_ends(consumer, topic))

    def gather(self, ended: threading.Event) -> None:
        """Receive until the load has ended and nothing comes after it any more."""
        last = stop = time.monotonic()
        while not ended.is_set() or (time.monotonic() - last < QUIET_S and time.monotonic() - stop < PATIENCE_S):
            message = self._consumer.poll(POLL_S)
            now = time.time()
            if not ended.is_set():
                stop = time.monotonic()
            if message is not None and not message.error():
                last = time.monotonic()
                self.seconds.append(now - dated(message))


def dated(message: Message) -> float:
    """Tell when the event was recorded, just before its commit, in seconds since 1970."""
    headers: dict[str, bytes] = dict(message.headers() or ())  # type: ignore[arg-type]
    return datetime.fromisoformat(headers["ce_time"].decode()).timestamp()


def receive(properties: str, topic: str) -> list[float]:
    """Say when ready, and gather until standard input ends."""
    client = dict(line.split("=", 1) for line in Path(properties).read_text().splitlines())
    consumer = Consumer({**client, "group.id": GROUP, "enable.auto.commit": False})
    try:
        ages, ended = Ages(consumer, topic), threading.Event()
        # The first poll fetches what it takes to receive anything.
        consumer.poll(1.0)
        print(READY, flush=True)
        threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
        ages.gather(ended)
    finally:
        consumer.close()
    return ages.seconds


def _wait_for_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def _ends(consumer: Consumer, topic: str) -> list[TopicPartition]:
    partitions = consumer.list_topics(topic, timeout=REQUEST_TIMEOUT_S).topics[topic].partitions
    places = [TopicPartition(topic, partition) for partition in partitions]
    highs = [consumer.get_watermark_offsets(place, timeout=REQUEST_TIMEOUT_S)[1] for place in places]
    return [TopicPartition(topic, place.partition, high) for place, high in zip(places, highs, strict=True)]


if __name__ == "__main__":
    print(json.dumps(receive(*sys.argv[1:3])))
