"""An empty auth database, and the use cases over it as the service wires them, with a clock that tests move."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from services.auth.accounts import Accounts
from services.auth.credentials import Credentials
from services.auth.domain.sessions import Client, Lifetimes
from services.auth.keyring import KeyRing, Schedule
from services.auth.keys import KeyVault
from services.auth.logins import Logins
from services.auth.mint import Mint
from services.auth.passwords import Passwords
from services.auth.sealing import DataKeys, Digests
from services.auth.second_factor import SecondFactor
from services.auth.sessions import Login, Sessions
from services.auth.settings import AuthSettings
from services.auth.store import (
    AttemptStore,
    AuthStore,
    CodeStore,
    FactorStore,
    KeyStore,
    PersonalDataStore,
    SessionStore,
    UpkeepStore,
)
from services.auth.throttle import Throttle
from services.auth.tokens import TokenIssuer
from services.common.database import Database
from services.common.ids import new_id
from tests.integration.postgres import Postgres

SEEDED = ("roles", "role_permissions")
SECRET = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
EMAIL = "ann@example.com"
PASSWORD = "correct horse battery"
HOME = Client("192.0.2.7", "Firefox")
ABROAD = Client("198.51.100.9", "curl")
SCHEDULE = Schedule(timedelta(0), timedelta(days=3650), timedelta(days=1))
SETTINGS = {
    "issuer": "https://issuer",
    "audience": "audience",
    "admin_email": "admin@example.com",
    "admin_password": "an admin's password",
    "key_encryption_key": SECRET,
    "personal_data_keys": f"1:{SECRET}",
    "digest_key": SECRET,
}


@dataclass
class Clock:
    """The time, as tests have it."""

    time: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __call__(self) -> datetime:
        """Tell it."""
        return self.time

    def pass_(self, **duration: float) -> None:
        """Let time pass."""
        self.time += timedelta(**duration)


class Auth:
    """All use cases of one process."""

    def __init__(self, database: Database, clock: Clock, *, verified_only: bool = False) -> None:
        """Wire them as the service does."""
        self.clock = clock
        data_keys, digests = DataKeys.read(f"1:{SECRET}"), Digests.read(SECRET)
        self.store = AuthStore(database, data_keys, digests)
        passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        throttle = Throttle(AttemptStore(database), digests, clock)
        keys = KeyRing(KeyStore(database, KeyVault(SECRET)), SCHEDULE, clock)
        mint = Mint(TokenIssuer("https://issuer", "audience", timedelta(minutes=15)), keys, clock)
        self.accounts = Accounts(self.store, passwords, throttle, clock, new_id)
        self.sessions = Sessions(SessionStore(database, data_keys, digests), mint, clock, new_id, Lifetimes())
        factors = FactorStore(database, data_keys)
        self.factor = SecondFactor(factors, throttle, digests, clock, "Ordermesh")
        self.logins = Logins(
            self.store,
            passwords,
            self.sessions,
            challenges=factors,
            factor=self.factor,
            throttle=throttle,
            clock=clock,
            verified_only=verified_only,
        )
        self.personal_data = PersonalDataStore(database, data_keys, digests)
        self.upkeep = UpkeepStore(database, data_keys, digests)
        self.codes = CodeStore(database)
        self.credentials = Credentials(
            self.store, self.codes, passwords, throttle, clock=clock, new_id=new_id, steady=timedelta(0)
        )

    async def registered(self, email: str = EMAIL) -> str:
        """Register somebody; return their id."""
        await self.accounts.register(email, PASSWORD, "Ann")
        account = await self.store.account(email)
        assert account is not None
        return account.user.id

    async def logged_in(self, email: str = EMAIL, password: str = PASSWORD, client: Client = HOME) -> Login:
        """Log somebody in."""
        return await self.logins.log_in(email, password, client)


@dataclass
class Told:
    """What auth told the others."""

    postgres: Postgres

    def events(self) -> list[str]:
        """Name the events about users, oldest first."""
        with self.postgres.superuser("auth") as connection:
            rows = connection.execute("SELECT type FROM events WHERE aggregate_type = 'user' ORDER BY id").fetchall()
        return [str(name).rpartition(".")[2] for (name,) in rows]

    def code_ids(self) -> list[str]:
        """Name the codes that mails were asked for, as they are kept."""
        with self.postgres.superuser("auth") as connection:
            return [str(id_) for (id_,) in connection.execute("SELECT id FROM one_time_codes ORDER BY id").fetchall()]


@pytest_asyncio.fixture
async def database(postgres: Postgres) -> AsyncIterator[Database]:
    """Open the database."""
    postgres.migrate("auth")
    postgres.empty("auth", but=SEEDED)
    async with Database.open(postgres.settings(AuthSettings, "auth", **SETTINGS)) as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    """Set the clock."""
    return Clock()


@pytest.fixture
def auth(database: Database, clock: Clock) -> Auth:
    """Wire the use cases."""
    return Auth(database, clock)


@pytest.fixture
def told(postgres: Postgres) -> Told:
    """Listen."""
    return Told(postgres)


@pytest.fixture
def keys(database: Database) -> KeyStore:
    """Open the store of keys."""
    return KeyStore(database, KeyVault(SECRET))
