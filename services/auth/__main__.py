"""Wires the auth service and runs it."""

import warnings
from datetime import UTC, datetime, timedelta

from joserfc.errors import SecurityWarning

from mesh import server
from mesh.contract import Contract
from ordermesh.auth.v1 import auth_service_pb2_grpc as auth_grpc
from ordermesh.auth.v1 import oauth_service_pb2_grpc as oauth_grpc
from ordermesh.auth.v1 import role_service_pb2_grpc as role_grpc
from ordermesh.auth.v1 import service_account_service_pb2_grpc as service_account_grpc
from ordermesh.auth.v1 import user_admin_service_pb2_grpc as user_admin_grpc
from services.auth.accounts import Accounts, FirstAdmin
from services.auth.keyring import KeyRing
from services.auth.keys import KeyVault
from services.auth.mint import Mint
from services.auth.oauth import OAuth
from services.auth.passwords import Passwords
from services.auth.roles import Roles
from services.auth.service import AuthService, OAuthService, RoleService, ServiceAccountService, UserAdminService
from services.auth.service_accounts import ServiceAccounts
from services.auth.settings import AuthSettings
from services.auth.store import AuthStore, KeyStore, RevocationStore, RoleStore, ServiceAccountStore, UserAdminStore
from services.auth.tokens import TokenIssuer
from services.common.database import Database
from services.common.ids import new_id


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


async def build(app: server.Application) -> None:
    """Put the service together; every dependency is named here."""
    # RFC 9864 calls the algorithm Ed25519; Envoy 1.40 knows it by the older name only.
    warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)
    settings = AuthSettings()
    database = await app.enter(Database.open(settings))
    app.add_check("database", database.ping)

    store = AuthStore(database)
    secret, *previous = settings.secrets
    keys = KeyRing(KeyStore(database, KeyVault(secret, previous)), settings.schedule, now)
    lifetime = timedelta(seconds=settings.token_lifetime_seconds)
    mint = Mint(TokenIssuer(settings.issuer, settings.audience, lifetime), keys, now)
    accounts = Accounts(store, Passwords(), mint, now, new_id)
    admin = FirstAdmin(accounts, store, settings.admin_email, settings.admin_password.get_secret_value())

    app.add_check("signing keys", keys.check)
    app.add_check("first admin", admin.check)
    app.background("first admin", admin.run)
    app.background("signing keys", keys.run)
    app.serve(
        AuthService(accounts, keys, store, lifetime),
        auth_grpc.add_AuthServiceServicer_to_server,
        "ordermesh.auth.v1.AuthService",
    )
    app.serve(
        UserAdminService(UserAdminStore(database), store, now),
        user_admin_grpc.add_UserAdminServiceServicer_to_server,
        "ordermesh.auth.v1.UserAdminService",
    )
    serve_machines(app, database, mint, settings.issuer)


def serve_machines(app: server.Application, database: Database, mint: Mint, issuer: str) -> None:
    """Serve what is for programs, and what they and users may do: roles, service accounts, OAuth 2."""
    known = Contract.load().permissions
    roles, accounts = RoleStore(database), ServiceAccountStore(database)
    clients = ServiceAccounts(accounts, known, now, new_id)
    app.serve(
        RoleService(Roles(roles, known), roles),
        role_grpc.add_RoleServiceServicer_to_server,
        "ordermesh.auth.v1.RoleService",
    )
    app.serve(
        ServiceAccountService(clients, accounts, now),
        service_account_grpc.add_ServiceAccountServiceServicer_to_server,
        "ordermesh.auth.v1.ServiceAccountService",
    )
    app.serve(
        OAuthService(OAuth(clients, mint, RevocationStore(database)), issuer, sorted(known)),
        oauth_grpc.add_OAuthServiceServicer_to_server,
        "ordermesh.auth.v1.OAuthService",
    )


if __name__ == "__main__":
    server.run("auth", build)
