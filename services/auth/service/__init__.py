"""The gRPC servicers: each turns the messages of one contract into what the auth service does, and back."""

from services.auth.service.auth import AuthService

__all__ = ["AuthService"]
