"""The connector of each service, as rendered from deploy/debezium/outbox.json."""

import re
from pathlib import Path

import pytest

from deploy.native.provision.connect import connector_names, credentials_directory, render, render_table
from tests.unit.deploy.provision_examples import CHECKOUT, runtime_in, secrets_of

SERVICES = ("auth", "product", "inventory", "payment", "order", "notification")


@pytest.mark.parametrize("service", SERVICES)
def test_every_place_of_the_template_is_filled(tmp_path: Path, service: str) -> None:
    """A place left over would reach Connect as text."""
    rendered = render(runtime_in(tmp_path), service, "7/1")
    assert not [value for value in rendered.values() if "@{" in value]


def test_a_service_has_its_own_slot_publication_and_topic(tmp_path: Path) -> None:
    """Two connectors on one slot would take each other's events."""
    rendered = [render(runtime_in(tmp_path), service, "7/1") for service in SERVICES]
    for key in ("slot.name", "publication.name", "topic.prefix", "transforms.route.route.topic.replacement"):
        assert len({each[key] for each in rendered}) == len(SERVICES), key


def test_the_order_service_is_followed_in_its_own_database(tmp_path: Path) -> None:
    """Its database is called otherwise than the service, because ORDER is a word of SQL."""
    rendered = render(runtime_in(tmp_path), "order", "7/1")
    assert (rendered["database.dbname"], rendered["slot.name"]) == ("orders", "order_outbox")
    assert rendered["transforms.route.route.topic.replacement"] == "order-events"


def test_the_password_is_named_and_not_written(tmp_path: Path) -> None:
    """Connect shows its configuration to whoever asks, and keeps it in Kafka."""
    runtime = runtime_in(tmp_path)
    password = secrets_of(runtime).database_passwords["debezium"]
    rendered = render(runtime, "order", "7/1")
    assert rendered["database.password"] == f"${{file:{credentials_directory(runtime)}/postgres.properties:password}}"
    assert password not in str(rendered)


def test_events_are_told_from_heartbeats_by_their_topic(tmp_path: Path) -> None:
    """A heartbeat that went through the transforms would stop the task."""
    rendered = render(runtime_in(tmp_path), "order", "7/1")
    rows, events = rendered["predicates.isRow.pattern"], rendered["predicates.isEvent.pattern"]
    assert re.fullmatch(rows, "order.public.events")
    assert re.fullmatch(events, "order-events")
    assert not any(re.fullmatch(pattern, "__debezium-heartbeat.order") for pattern in (rows, events))


def test_the_columns_placed_are_columns_of_the_events_table(tmp_path: Path) -> None:
    """The template and the schema are kept in different folders."""
    rendered = render(runtime_in(tmp_path), "order", "7/1")
    placed = rendered["transforms.route.table.fields.additional.placement"].split(",")
    schema = (CHECKOUT / "services" / "common" / "schema.py").read_text()
    for column in (entry.split(":")[0] for entry in placed):
        assert re.search(rf"^    {column} \w+", schema, re.MULTILINE), column


def test_a_connector_remembers_which_database_its_position_is_of(tmp_path: Path) -> None:
    """A position from before initdb would hide the first events of the new database."""
    runtime = runtime_in(tmp_path)
    assert render(runtime, "order", "7/1") != render(runtime, "order", "8/1")


def test_a_table_has_a_connector_beside_that_of_the_events(tmp_path: Path) -> None:
    """With a slot of its own, so that neither waits for the other, and the publication of that name."""
    runtime = runtime_in(tmp_path)
    assert connector_names(runtime, "inventory") == ["inventory-outbox", "inventory-stock"]
    rendered = render_table(runtime, "inventory", "stock", "7/1")
    assert not [value for value in rendered.values() if "@{" in value]
    assert rendered["slot.name"] == rendered["publication.name"] == "inventory_stock"
    assert re.fullmatch(rendered["transforms.route.regex"], f"{rendered['topic.prefix']}.public.stock_levels")
    assert rendered["transforms.route.replacement"] == "inventory-stock"
    migrations = CHECKOUT / "services" / "inventory" / "migrations" / "versions"
    made = "".join(path.read_text() for path in migrations.glob("*.py"))
    assert (
        f"CREATE PUBLICATION inventory_stock FOR TABLE {rendered['table.include.list'].removeprefix('public.')}" in made
    )
