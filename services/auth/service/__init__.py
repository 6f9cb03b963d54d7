"""The gRPC servicers: each turns the messages of one contract into what the auth service does, and back."""

from services.auth.service.auth import AuthService
from services.auth.service.oauth import OAuthService
from services.auth.service.roles import RoleService
from services.auth.service.service_accounts import ServiceAccountService
from services.auth.service.user_admin import UserAdminService

__all__ = ["AuthService", "OAuthService", "RoleService", "ServiceAccountService", "UserAdminService"]
