"""An auth database as its migrations leave it, before each test."""

import base64
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.auth.keys import KeyVault
from services.auth.settings import AuthSettings
from services.auth.store import KeyStore
from services.common.database import Database
from tests.integration.postgres import Postgres

SECRET = base64.b64encode(b"s" * 32).decode()
SEEDED = ("roles", "role_permissions")


def settings_of(postgres: Postgres) -> AuthSettings:
    """Tell auth what it needs to know."""
    return postgres.settings(
        AuthSettings,
        "auth",
        issuer="https://auth.test",
        audience="ordermesh",
        admin_email="admin@example.com",
        admin_password="correct horse battery",
        key_encryption_key=SECRET,
    )


@pytest_asyncio.fixture
async def database(postgres: Postgres) -> AsyncIterator[Database]:
    """Open the database."""
    postgres.migrate("auth")
    postgres.empty("auth", but=SEEDED)
    async with Database.open(settings_of(postgres)) as opened:
        yield opened


@pytest.fixture
def keys(database: Database) -> KeyStore:
    """Open the store of keys."""
    return KeyStore(database, KeyVault(SECRET))
