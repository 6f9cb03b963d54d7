"""A running edge with the real auth behind it, on the real database, and an order service that finds every order."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import httpx

from deploy.native import components
from mesh.contract import Contract
from ordermesh.auth.v1 import auth_pb2, auth_service_pb2, oauth_service_pb2_grpc
from services.auth.domain import User
from services.auth.events import key_to_proto
from services.auth.keyring import KeyRing, Schedule
from services.auth.keys import KeyVault
from services.auth.mint import Mint
from services.auth.oauth import OAuth
from services.auth.sealing import DataKeys, Digests
from services.auth.service import ClientReader, OAuthService
from services.auth.service_accounts import ServiceAccounts, Told
from services.auth.sessions import Login, Sessions
from services.auth.store import AuthStore, KeyStore, RevocationStore, ServiceAccountStore, SessionStore
from services.auth.tokens import Grant, TokenIssuer
from services.common.database import Database
from services.common.ids import new_id
from tests.integration.gateway.backend import Backend, Context
from tests.integration.gateway.installation import Edge, control_plane, envoy, install
from tests.integration.gateway.tokens import AUDIENCE, ISSUER
from tests.integration.services.auth.conftest import HOME, SECRET

WAIT, LIFETIME = timedelta(minutes=3), timedelta(minutes=15)
KNOWN = Contract.load().permissions


def now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


class Machines:
    """What one instance of auth is made of, as far as programs are concerned."""

    def __init__(self, database: Database, wait: timedelta, lifetime: timedelta) -> None:
        """`wait`: how long a key is public before it signs; `lifetime` of tokens."""
        store = ServiceAccountStore(database)
        self.keys = KeyRing(
            KeyStore(database, KeyVault(SECRET)), Schedule(wait, timedelta(days=30), lifetime + wait), now
        )
        self.clients = ServiceAccounts(store, KNOWN, now, new_id)
        self.mint = Mint(TokenIssuer(ISSUER, AUDIENCE, lifetime), self.keys, now)
        data_keys, digests = DataKeys.read(f"1:{SECRET}"), Digests.read(SECRET)
        self.users = AuthStore(database, data_keys, digests)
        self.sessions = Sessions(SessionStore(database, data_keys, digests), self.mint, now, new_id)
        self.oauth = OAuth(self.clients, self.sessions, self.mint, RevocationStore(database))

    async def client(self, *permissions: str) -> Told:
        """Make a service account."""
        return await self.clients.create("a program", [], list(permissions), KNOWN)

    async def login(self) -> Login:
        """Register a customer and log them in."""
        user = User(new_id(), f"{new_id()}@example.com", "Ann", ("customer",), 0, now())
        await self.users.add(user, "hash", None)
        return await self.sessions.begin(user, HOME, [])


class RealAuth(Backend):
    """The backend of the edge's tests, but with the real keys and the real OAuth service."""

    def __init__(self, like: Backend, auth: Machines) -> None:
        """Stand where `like` would."""
        super().__init__(like.port, like.member)
        self._auth = auth

    def register(self, server: grpc.aio.Server) -> None:
        """Serve what it is, and OAuth."""
        super().register(server)
        oauth = OAuthService(self._auth.oauth, ClientReader(), ISSUER, sorted(KNOWN))
        oauth_service_pb2_grpc.add_OAuthServiceServicer_to_server(oauth, server)

    async def GetJsonWebKeySet(  # noqa: N802
        self, _request: auth_service_pb2.GetJsonWebKeySetRequest, _context: Context
    ) -> auth_service_pb2.JsonWebKeySet:
        """Tell the keys."""
        keys: list[auth_pb2.JsonWebKey] = [key_to_proto(key) for key in await self._auth.keys.published()]
        return auth_service_pb2.JsonWebKeySet(keys=keys)


@dataclass(frozen=True, slots=True)
class Door:
    """The edge, and the auth behind it."""

    edge: Edge
    auth: Machines

    @property
    def url(self) -> str:
        """Where clients find it."""
        return self.edge.http


@contextlib.asynccontextmanager
async def door(
    folder: Path,
    programs: components.Components,
    database: Database,
    *,
    wait: timedelta = WAIT,
    lifetime: timedelta = LIFETIME,
) -> AsyncIterator[Door]:
    """Run the edge, which keeps keys for a second, until it knows the first one."""
    rates = [f"rates.{kind}.{figure}=100000" for kind in ("STRICT", "DEFAULT") for figure in ("requests", "burst")]
    edge = install(folder, programs.protoc_gen_openapi, "tokens.keys_seconds=1", *rates)
    auth = Machines(database, wait, lifetime)
    backend = RealAuth(edge.backend, auth)  # type: ignore[abstract] # what it leaves out is UNIMPLEMENTED
    edge = replace(edge, backend=backend)
    await auth.keys.signing()
    async with envoy(programs.envoy, edge), control_plane(edge):
        await backend.start()
        await _checks_tokens(edge, auth)
        yield Door(edge, auth)
        await backend.stop()


async def _checks_tokens(edge: Edge, auth: Machines) -> None:
    """Wait until the edge has fetched the keys, which it does again and again until it has them."""
    token = await auth.mint.issue(Grant("somebody", (), {"orders.read"}))
    headers = {"authorization": f"Bearer {token.value}"}
    async with httpx.AsyncClient(base_url=edge.http) as http, asyncio.timeout(20):
        while (await http.get("/api/v1/orders/1", headers=headers)).is_error:  # noqa: ASYNC110 - Envoy fetches
            await asyncio.sleep(0.1)
