"""Registering and logging in: the use cases between servicer and store."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from mesh import context
from mesh.telemetry import get_logger
from services.auth.domain import EmailTaken, InvalidCredentials, Role, User, UserDisabled
from services.auth.mint import Mint
from services.auth.passwords import Passwords
from services.auth.store import Account
from services.auth.tokens import Grant

_log = get_logger(__name__)


class Store(Protocol):
    """What accounts need of the auth database."""

    async def add(self, user: User, password_hash: str) -> None:
        """Commit a new user and the event. Raises EmailTaken."""

    async def account(self, email: str) -> Account | None:
        """Read who logs in with an email."""

    async def rehash(self, account: Account, fresh: str) -> None:
        """Replace the hash of a password that stays the same."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user who proved who they are, with their token."""

    user: User
    token: str = field(repr=False)


class Accounts:
    """The use cases behind AuthService."""

    def __init__(
        self,
        store: Store,
        passwords: Passwords,
        mint: Mint,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        """Everything from outside comes in here."""
        self._store = store
        self._passwords = passwords
        self._mint = mint
        self._clock = clock
        self._new_id = new_id

    async def register(self, email: str, password: str, display_name: str, role: Role = Role.CUSTOMER) -> User:
        """Create a user. Raises EmailTaken."""
        if await self._store.account(email) is not None:
            raise EmailTaken  # Before the hash, which costs; the store decides when two come at once.
        user = User(self._new_id(), email.strip(), display_name, (role,), 1, self._clock())
        await self._store.add(user, await self._passwords.hash(password))
        return user

    async def log_in(self, email: str, password: str) -> Login:
        """Check the password and issue a token. Raises InvalidCredentials and UserDisabled."""
        account = await self._store.account(email)
        matches = await self._passwords.matches(account.password_hash if account else None, password)
        if account is None or not matches:
            raise InvalidCredentials
        if self._passwords.outdated(account.password_hash):
            await self._store.rehash(account, await self._passwords.hash(password))
        if account.user.disable_time is not None:
            raise UserDisabled
        user = account.user
        token = await self._mint.issue(Grant(user.id, user.roles, user.permissions))
        return Login(user, token.value)


class NoAdminYetError(Exception):
    """The install's first admin is still being made."""


class FirstAdmin:
    """Sees to it that the install has its admin, as soon as the database answers."""

    def __init__(self, accounts: Accounts, store: Store, email: str, password: str) -> None:
        """`password` is used only if there is no such user yet."""
        self._accounts = accounts
        self._store = store
        self._email = email
        self._password = password
        self._seen_to = False

    async def check(self) -> None:
        """Raise until it is settled whether the install has its admin: before that nobody can set it up."""
        if not self._seen_to:
            raise NoAdminYetError

    async def run(self, _stop: asyncio.Event) -> None:
        """Create it if it is missing; whoever runs this starts it again when the database is away."""
        with context.background(actor="service:auth"):
            try:
                user = await self._accounts.register(self._email, self._password, "Administrator", Role.ADMIN)
            except EmailTaken:
                await self._check_is_admin()
            else:
                _log.info("admin created", user_id=user.id)
        self._seen_to = True

    async def _check_is_admin(self) -> None:
        """Say so when somebody registered with the admin's email first: nobody is promoted by a setting."""
        account = await self._store.account(self._email)
        if account is not None and Role.ADMIN not in account.user.roles:
            _log.warning(
                "there is no admin: ORDERMESH_ADMIN_EMAIL belongs to a user who is none; set another email",
                user_id=account.user.id,
            )
