"""The gRPC servicers: each turns the messages of one contract into what the auth service does, and back."""

from services.auth.service.account import AccountMailService, AccountService
from services.auth.service.auth import AuthService
from services.auth.service.client import ClientReader
from services.auth.service.oauth import OAuthService
from services.auth.service.personal_data import PersonalDataService
from services.auth.service.revocations import RevocationService
from services.auth.service.roles import RoleService
from services.auth.service.service_accounts import ServiceAccountService
from services.auth.service.user_admin import UserAdminService

__all__ = [
    "AccountMailService",
    "AccountService",
    "AuthService",
    "ClientReader",
    "OAuthService",
    "PersonalDataService",
    "RevocationService",
    "RoleService",
    "ServiceAccountService",
    "UserAdminService",
]
