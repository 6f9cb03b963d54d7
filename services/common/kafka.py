"""How every Kafka client of ours is set up, and what a record is."""

import logging
from typing import Any

from confluent_kafka import Message

from services.common.received import Record
from services.common.settings import ServiceSettings

ClientConfig = dict[str, Any]


def client_config(settings: ServiceSettings, name: str) -> ClientConfig:
    """Settings of any client. `name` is what the broker's logs call it."""
    return {
        "bootstrap.servers": settings.kafka_bootstrap,
        **_security(settings),
        "client.id": name,
        # After a broker was away: look for it again at once, not after librdkafka's ten seconds.
        "reconnect.backoff.max.ms": 500,
        "topic.metadata.refresh.interval.ms": 5_000,
        # A broker that starts tells for a moment of no brokers at all. Whoever believes it, and may not go back to
        # `bootstrap.servers`, is cut off for good.
        "metadata.recovery.strategy": "rebootstrap",
        "log_level": 3,
        "logger": logging.getLogger("librdkafka"),
    }


def _security(settings: ServiceSettings) -> ClientConfig:
    """Say how the broker proves itself to us, and we to it."""
    encrypted = settings.kafka_ca is not None
    protocol = ("SASL_" if settings.kafka_user else "") + ("SSL" if encrypted else "PLAINTEXT")
    config: ClientConfig = {"security.protocol": protocol}
    if encrypted:
        config["ssl.ca.location"] = str(settings.kafka_ca)
    if settings.kafka_user:
        config |= {
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": settings.kafka_user,
            "sasl.password": settings.kafka_password.get_secret_value(),
        }
    return config


def record_of(message: Message) -> Record:
    """Return the record in a message that is no error. Of a header that came twice the last one counts."""
    headers: Any = message.headers() or []
    return Record(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers={name: _bytes(value) for name, value in headers},
    )


def _bytes(value: str | bytes | None) -> bytes:
    if value is None:
        return b""
    return value.encode() if isinstance(value, str) else value
