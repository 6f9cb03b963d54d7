"""How far the groups of consumers are behind, as Kafka's own records have it."""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # it does not say what it exports
    AdminClient,
    ListOffsetsResultInfo,
    OffsetSpec,
)

TIMEOUT_S = 10


def by_group(admin: AdminClient) -> Mapping[str, int]:
    """Count for each group the messages between what it has committed and the end. Raises KafkaException."""
    listed = admin.list_consumer_groups(request_timeout=TIMEOUT_S).result()
    # A broker that does not answer is no failure of the whole, to the library.
    for failure in listed.errors:
        raise KafkaException(failure)
    committed = {group.group_id: _committed(admin, group.group_id) for group in listed.valid}
    ends = _ends(admin, {place for places in committed.values() for place in places})
    return {group: behind(places, ends) for group, places in committed.items() if places}


def behind(places: Mapping[tuple[str, int], int], ends: Mapping[tuple[str, int], int]) -> int:
    """Add up what lies between places and ends, both by topic and partition; for a topic that is gone, nothing."""
    return Counter({place: max(ends.get(place, 0) - offset, 0) for place, offset in places.items()}).total()


def _committed(admin: AdminClient, group: str) -> Mapping[tuple[str, int], int]:
    asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=TIMEOUT_S)
    found = asked[group].result().topic_partitions or []
    return {(place.topic, place.partition): place.offset for place in found if place.offset >= 0}


def _ends(admin: AdminClient, places: set[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call] # of the library
    wanted = {TopicPartition(*place): latest for place in places}
    if not wanted:
        return {}
    asked = admin.list_offsets(wanted, request_timeout=TIMEOUT_S)
    return {(place.topic, place.partition): end for place, found in asked.items() if (end := _end(found)) is not None}


def _end(found: Future[ListOffsetsResultInfo]) -> int | None:
    """Take an answer; None where the topic is gone, of which a group's offsets remain for a while."""
    try:
        return int(found.result().offset)
    except KafkaException as failure:
        if failure.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise
