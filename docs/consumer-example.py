"""Keeps the confirmed orders, each once: python consumer-example.py analytics.properties order-events."""

import sqlite3
import sys
from pathlib import Path

from confluent_kafka import Consumer

from ordermesh.order.v1.order_events_pb2 import OrderConfirmed

properties, topic = sys.argv[1:]
kept = sqlite3.connect("orders.db")
kept.execute("CREATE TABLE IF NOT EXISTS inbox (event_id TEXT PRIMARY KEY)")
kept.execute("CREATE TABLE IF NOT EXISTS orders (id TEXT, lines INTEGER)")

settings = dict(line.split("=", 1) for line in Path(properties).read_text().splitlines())
settings |= {"group.id": f"{settings['sasl.username']}-confirmed-orders"}
settings |= {"auto.offset.reset": "earliest"}  # A new group begins with the oldest event that is kept.
settings |= {"enable.auto.commit": False}  # Offsets are committed below, after the effect.
settings |= {"session.timeout.ms": 6000}  # If this one is killed, another goes on after so long.
consumer = Consumer(settings)
consumer.subscribe([topic])
while True:
    message = consumer.poll(1)
    if message is None or message.error():
        continue  # After an outage it goes on by itself.
    headers = dict(message.headers())
    with kept:  # One transaction: the event counts as seen if, and only if, its effect is there.
        event_id = headers["ce_id"].decode()
        new = kept.execute("INSERT OR IGNORE INTO inbox VALUES (?)", [event_id]).rowcount
        if new and headers["ce_type"] == b"ordermesh.order.v1.OrderConfirmed":
            order = OrderConfirmed.FromString(message.value()).order
            kept.execute("INSERT INTO orders VALUES (?, ?)", [order.id, len(order.lines)])
            print(order.id, flush=True)
    consumer.commit(message, asynchronous=False)
