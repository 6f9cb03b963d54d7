"""The gRPC servicers: each turns the messages of one contract into what the auth service does, and back."""

from services.auth.service.account import AccountMailService, AccountService
from services.auth.service.auth import AuthService
from services.auth.service.client import ClientReader

__all__ = ["AccountMailService", "AccountService", "AuthService", "ClientReader"]
