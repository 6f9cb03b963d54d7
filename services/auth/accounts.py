"""Registering, and the install's first admin."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from google.protobuf.message import Message

from mesh import context
from mesh.telemetry import get_logger
from services.auth.domain import Role, User
from services.auth.events import registration_repeated
from services.auth.passwords import Passwords
from services.auth.store import Account
from services.auth.throttle import Throttle

_log = get_logger(__name__)


class Store(Protocol):
    """What accounts need of the auth database."""

    async def add(self, user: User, password_hash: str, code_id: str | None) -> bool:
        """Commit a new user with the events; False, and nothing is done, when the email is taken."""

    async def account(self, email: str, network: str = "") -> Account | None:
        """Read who has an email."""

    async def tell(self, user_id: str, message: Message) -> None:
        """Commit an event that changes nothing but what is known of the user's story."""


class Accounts:
    """How users come to be."""

    def __init__(
        self,
        store: Store,
        passwords: Passwords,
        throttle: Throttle,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        """Everything from outside comes in here."""
        self._store = store
        self._passwords = passwords
        self._throttle = throttle
        self._clock = clock
        self._new_id = new_id

    async def register(self, email: str, password: str, display_name: str) -> None:
        """Create a customer, and have a mail sent to verify the email.

        Whoever asks can't tell whether the email was taken, by what is said or by how long it takes: the hash, which
        costs most, is made in any case. The owner of a taken one is told by mail.
        """
        user = self._user(email, display_name, Role.CUSTOMER)
        password_hash = await self._passwords.hash(password)
        mails = await self._throttle.may_mail(email)
        if await self._store.add(user, password_hash, self._new_id()):
            _log.info("registered", user_id=user.id)
            return
        owner = await self._store.account(email)
        if owner is not None and mails:
            _log.info("registration repeated", user_id=owner.user.id)
            await self._store.tell(owner.user.id, registration_repeated(owner.user.id))

    async def add_admin(self, email: str, password: str) -> User | None:
        """Create the install's first admin, whose email needs no mail; None when it is taken."""
        user = self._user(email, "Administrator", Role.ADMIN)
        if await self._store.account(email) is not None:
            return None
        return user if await self._store.add(user, await self._passwords.hash(password), None) else None

    def _user(self, email: str, display_name: str, role: Role) -> User:
        return User(self._new_id(), email.strip(), display_name, (role,), 0, self._clock())


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
            user = await self._accounts.add_admin(self._email, self._password)
            if user is None:
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
