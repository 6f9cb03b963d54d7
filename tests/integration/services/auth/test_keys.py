"""Signing keys in the database, which decides for all instances."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import psycopg

from services.auth.keyring import KeyRing, Schedule
from services.auth.keys import KeyVault, generate
from services.auth.store import KeyStore
from services.common.database import Database
from tests.integration.postgres import Postgres
from tests.integration.services.auth.conftest import SECRET

WAIT = timedelta(minutes=3)


def now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


async def test_the_first_key_signs_at_once_and_the_next_after_its_wait(keys: KeyStore) -> None:
    """By the clock of the database."""
    first = await keys.rotate(generate(now()), WAIT)
    second = await keys.rotate(generate(now()), WAIT)
    assert first.sign_time <= now() + timedelta(seconds=5)
    assert WAIT - timedelta(seconds=5) < second.sign_time - first.sign_time < WAIT + timedelta(minutes=1)
    assert [key.id for key in await keys.keys()] == [second.key_id, first.key_id]


async def test_rotations_at_once_make_one_key(keys: KeyStore) -> None:
    """Of all instances and commands; the others are told of it."""
    await keys.rotate(generate(now()), WAIT)
    done = await asyncio.gather(*(keys.rotate(generate(now()), WAIT) for _ in range(8)))
    assert sum(each.added for each in done) == 1
    assert len({each.key_id for each in done}) == 1
    assert len(await keys.keys()) == 2


async def test_instances_that_start_at_once_sign_with_one_key(database: Database) -> None:
    """Each has its own connection pool and knowledge."""
    schedule = Schedule(WAIT, timedelta(days=30), timedelta(minutes=20))
    rings = [KeyRing(KeyStore(database, KeyVault(SECRET)), schedule, now) for _ in range(4)]
    assert len({key.id for key in await asyncio.gather(*(ring.signing() for ring in rings))}) == 1


async def test_a_key_goes_when_its_successor_has_signed_for_long_enough(keys: KeyStore, postgres: Postgres) -> None:
    """Not before; the newest never does."""
    old = await keys.rotate(generate(now()), WAIT)
    new = await keys.rotate(generate(now()), timedelta(0))
    assert await keys.tidy(timedelta(minutes=1)) == []
    assert await keys.tidy(timedelta(0)) == [old.key_id]
    assert [key.id for key in await keys.keys()] == [new.key_id]
    with postgres.superuser("auth") as connection:
        told = connection.execute("SELECT aggregate_id, type FROM events ORDER BY id").fetchall()
    kinds = [(key, str(kind).rpartition(".")[2]) for key, kind in told]
    assert kinds == [
        (old.key_id, "SigningKeyCreated"),
        (new.key_id, "SigningKeyCreated"),
        (old.key_id, "SigningKeyDeleted"),
    ]


async def test_keys_are_sealed_anew_when_the_secret_is_another(database: Database, keys: KeyStore) -> None:
    """Then the one before can be forgotten."""
    made = await keys.rotate(generate(now()), WAIT)
    fresh = base64.b64encode(b"t" * 32).decode()
    await KeyStore(database, KeyVault(fresh, [SECRET])).tidy(timedelta(days=1))
    (key,) = await KeyStore(database, KeyVault(fresh)).keys()
    assert key.id == made.key_id


async def test_a_key_that_was_sealed_before_secrets_had_names_opens(keys: KeyStore, postgres: Postgres) -> None:
    """As the migration leaves it."""
    key, vault = generate(now()), KeyVault(SECRET)
    with postgres.app("auth") as connection:
        _keep(connection, (key.id, key.public, vault.seal(key), now()))
    assert [each.id for each in await keys.keys()] == [key.id]


def _keep(connection: psycopg.Connection[tuple[object, ...]], row: tuple[str, str, bytes, datetime]) -> None:
    connection.execute(
        "INSERT INTO signing_keys (id, public_key, sealed_private_key, create_time) VALUES (%s, %s, %s, %s)", row
    )
