"""The topics that a stack has."""

from pathlib import Path

from deploy.native.provision.kafka import wanted
from tests.unit.deploy.provision_examples import runtime_in


def test_a_table_s_topic_keeps_the_latest_of_each_key(tmp_path: Path) -> None:
    """Events are deleted when they are old; the stock of a SKU that nobody buys never is."""
    topics = {topic.name: topic for topic in wanted(runtime_in(tmp_path))}
    assert topics["inventory-stock"].config["cleanup.policy"] == "compact"
    assert topics["inventory-stock"].partitions == topics["inventory-events"].partitions
    assert topics["inventory-events"].config["cleanup.policy"] == "delete"
    assert "__debezium-heartbeat.inventory-stock" in topics
