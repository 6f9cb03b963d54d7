"""Wires the auth service and runs it."""

import asyncio
import warnings
from datetime import timedelta

from joserfc.errors import SecurityWarning

from mesh import server
from mesh.contract import Contract
from ordermesh.auth.v1 import account_service_pb2_grpc as account_grpc
from ordermesh.auth.v1 import auth_service_pb2_grpc as auth_grpc
from ordermesh.auth.v1 import oauth_service_pb2_grpc as oauth_grpc
from ordermesh.auth.v1 import personal_data_service_pb2_grpc as personal_data_grpc
from ordermesh.auth.v1 import revocation_service_pb2_grpc as revocation_grpc
from ordermesh.auth.v1 import role_service_pb2_grpc as role_grpc
from ordermesh.auth.v1 import service_account_service_pb2_grpc as service_account_grpc
from ordermesh.auth.v1 import user_admin_service_pb2_grpc as user_admin_grpc
from services.auth.accounts import Accounts, FirstAdmin
from services.auth.credentials import Credentials
from services.auth.domain.sessions import Lifetimes
from services.auth.keyring import KeyRing
from services.auth.keys import KeyVault
from services.auth.logins import Logins
from services.auth.mint import Mint
from services.auth.oauth import OAuth
from services.auth.passwords import Passwords
from services.auth.roles import Roles
from services.auth.sealing import DataKeys, Digests
from services.auth.second_factor import SecondFactor
from services.auth.service import (
    AccountMailService,
    AccountService,
    AuthService,
    ClientReader,
    OAuthService,
    PersonalDataService,
    RevocationService,
    RoleService,
    ServiceAccountService,
    UserAdminService,
)
from services.auth.service_accounts import ServiceAccounts
from services.auth.sessions import Sessions
from services.auth.settings import AuthSettings
from services.auth.store import (
    AttemptStore,
    AuthStore,
    CodeStore,
    FactorStore,
    KeyStore,
    PersonalDataStore,
    RevocationStore,
    RoleStore,
    ServiceAccountStore,
    SessionStore,
    UpkeepStore,
    UserAdminStore,
)
from services.auth.throttle import Throttle
from services.auth.tokens import TokenIssuer
from services.auth.upkeep import Upkeep
from services.common.clock import now
from services.common.database import Database
from services.common.ids import new_id


async def build(app: server.Application) -> None:
    """Put the service together; every dependency is named here."""
    # RFC 9864 calls the algorithm Ed25519; Envoy 1.40 knows it by the older name only.
    warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)
    settings = AuthSettings()
    database = await app.enter(Database.open(settings))
    app.add_check("database", database.ping)

    data_keys = DataKeys.read(settings.personal_data_keys.get_secret_value())
    digests = Digests.read(settings.digest_key.get_secret_value())
    store = AuthStore(database, data_keys, digests)
    secret, *previous = settings.secrets
    keys = KeyRing(KeyStore(database, KeyVault(secret, previous)), settings.schedule, now)
    lifetime = timedelta(seconds=settings.token_lifetime_seconds)
    mint = Mint(TokenIssuer(settings.issuer, settings.audience, lifetime), keys, now)
    passwords = Passwords()
    throttle = Throttle(AttemptStore(database), digests, now)
    accounts = Accounts(store, passwords, throttle, now, new_id)
    sessions = Sessions(SessionStore(database, data_keys, digests), mint, now, new_id, _lifetimes(settings))
    factors = FactorStore(database, data_keys)
    factor = SecondFactor(factors, throttle, digests, now, settings.second_factor_issuer)
    logins = Logins(
        store,
        passwords,
        sessions,
        challenges=factors,
        factor=factor,
        throttle=throttle,
        clock=now,
        verified_only=settings.require_verified_email,
    )
    credentials = Credentials(store, CodeStore(database), passwords, throttle, clock=now, new_id=new_id)
    admin = FirstAdmin(accounts, store, settings.admin_email, settings.admin_password.get_secret_value())
    upkeep = Upkeep(UpkeepStore(database, data_keys, digests), now)

    async def settle(stop: asyncio.Event) -> None:
        await upkeep.seal()  # An admin in clear would not be found, and made a second time.
        await admin.run(stop)

    app.add_check("signing keys", keys.check)
    app.add_check("personal data", upkeep.check)
    app.add_check("first admin", admin.check)
    app.background("signing keys", keys.run)
    app.background("upkeep", upkeep.run)
    app.background("first admin", settle)
    app.serve(
        AuthService(
            accounts,
            logins,
            sessions,
            keys=keys,
            store=store,
            token_lifetime=lifetime,
            clients=ClientReader(settings.proxies),
        ),
        auth_grpc.add_AuthServiceServicer_to_server,
        "ordermesh.auth.v1.AuthService",
    )
    app.serve(
        AccountService(credentials, sessions, factor),
        account_grpc.add_AccountServiceServicer_to_server,
        "ordermesh.auth.v1.AccountService",
    )
    app.serve(
        AccountMailService(credentials),
        account_grpc.add_AccountMailServiceServicer_to_server,
        "ordermesh.auth.v1.AccountMailService",
    )
    app.serve(
        PersonalDataService(PersonalDataStore(database, data_keys, digests), now),
        personal_data_grpc.add_PersonalDataServiceServicer_to_server,
        "ordermesh.auth.v1.PersonalDataService",
    )
    app.serve(
        UserAdminService(UserAdminStore(database), store, now),
        user_admin_grpc.add_UserAdminServiceServicer_to_server,
        "ordermesh.auth.v1.UserAdminService",
    )
    serve_roles(app, database)
    clients = serve_service_accounts(app, database)
    revocations = RevocationStore(database)
    app.serve(
        RevocationService(revocations, lifetime, now),
        revocation_grpc.add_RevocationServiceServicer_to_server,
        "ordermesh.auth.v1.RevocationService",
    )
    oauth = OAuth(clients, sessions, mint, revocations)
    app.serve(
        OAuthService(oauth, ClientReader(settings.proxies), settings.issuer, sorted(Contract.load().permissions)),
        oauth_grpc.add_OAuthServiceServicer_to_server,
        "ordermesh.auth.v1.OAuthService",
    )


def serve_roles(app: server.Application, database: Database) -> None:
    """Serve what roles are."""
    roles = RoleStore(database)
    app.serve(
        RoleService(Roles(roles, Contract.load().permissions), roles),
        role_grpc.add_RoleServiceServicer_to_server,
        "ordermesh.auth.v1.RoleService",
    )


def serve_service_accounts(app: server.Application, database: Database) -> ServiceAccounts:
    """Serve the accounts of programs, and return what knows them."""
    accounts = ServiceAccountStore(database)
    clients = ServiceAccounts(accounts, Contract.load().permissions, now, new_id)
    app.serve(
        ServiceAccountService(clients, accounts, now),
        service_account_grpc.add_ServiceAccountServiceServicer_to_server,
        "ordermesh.auth.v1.ServiceAccountService",
    )
    return clients


def _lifetimes(settings: AuthSettings) -> Lifetimes:
    return Lifetimes(
        idle=timedelta(seconds=settings.session_idle_seconds),
        longest=timedelta(seconds=settings.session_lifetime_seconds),
        grace=timedelta(seconds=settings.refresh_grace_seconds),
    )


if __name__ == "__main__":
    server.run("auth", build)
