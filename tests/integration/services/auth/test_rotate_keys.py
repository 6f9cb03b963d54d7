"""`make rotate-keys` on the real database, told where it is as in an install: by the environment."""

import asyncio

import pytest

from services.auth.keys import KeyVault
from services.auth.rotate_keys import main
from services.auth.store import KeyStore
from services.common.database import Database
from tests.integration.postgres import Postgres
from tests.integration.services.auth.conftest import SECRET, SETTINGS

PLACE = {"service": "auth", "port": "1", "metrics_port": "2", "database_pool_size": "1"}


@pytest.fixture(autouse=True)
def environment(postgres: Postgres, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the settings; `database` has made the schema and is empty."""
    assert isinstance(database, Database)
    url = postgres.url("auth", "auth_app")
    for name, value in {**SETTINGS, **PLACE, "database_url": url, "key_publication_seconds": "60"}.items():
        monkeypatch.setenv(f"ORDERMESH_{name.upper()}", value)


async def test_the_command_makes_a_key_that_waits_and_no_second_one(
    keys: KeyStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says which; the first key of all signs at once."""
    for _ in range(3):
        assert await asyncio.to_thread(main, ["rotate"]) == 0
    newest, first = await keys.keys()
    assert (newest.sign_time - first.sign_time).total_seconds() >= 60
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in said] == [first.id, newest.id, newest.id]
    assert "no other is made" in said[2]
    assert await asyncio.to_thread(main, ["list"]) == 0
    listed = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert listed == [[newest.id, "waits"], [first.id, "signs"]]


async def test_the_command_says_when_keys_cannot_be_opened(
    keys: KeyStore, database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what to do, and a code that scripts see."""
    assert await asyncio.to_thread(main, ["rotate"]) == 0
    monkeypatch.setenv("ORDERMESH_KEY_ENCRYPTION_KEY", SECRET[::-1].lstrip("=") + "=")
    assert await asyncio.to_thread(main, ["list"]) == 2
    assert "ORDERMESH_PREVIOUS_KEY_ENCRYPTION_KEYS" in capsys.readouterr().err
    assert len(await KeyStore(database, KeyVault(SECRET)).keys()) == len(await keys.keys()) == 1
