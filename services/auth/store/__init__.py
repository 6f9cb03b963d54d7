"""All SQL of the auth service: one module for each kind of thing that is kept."""

from services.auth.store.attempts import AttemptStore
from services.auth.store.codes import CodeStore
from services.auth.store.factors import Factor, FactorStore
from services.auth.store.keys import KeyStore
from services.auth.store.personal_data import PersonalDataStore
from services.auth.store.revocations import RevocationStore
from services.auth.store.roles import RoleStore
from services.auth.store.service_accounts import ServiceAccountStore
from services.auth.store.sessions import Refreshed, SessionStore
from services.auth.store.upkeep import UpkeepStore
from services.auth.store.user_admin import UserAdminStore
from services.auth.store.users import Account, AuthStore

__all__ = [
    "Account",
    "AttemptStore",
    "AuthStore",
    "CodeStore",
    "Factor",
    "FactorStore",
    "KeyStore",
    "PersonalDataStore",
    "Refreshed",
    "RevocationStore",
    "RoleStore",
    "ServiceAccountStore",
    "SessionStore",
    "UpkeepStore",
    "UserAdminStore",
]
