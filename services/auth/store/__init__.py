"""All SQL of the auth service: one module for each kind of thing that is kept."""

from services.auth.store.keys import KeyStore
from services.auth.store.users import Account, AuthStore

__all__ = ["Account", "AuthStore", "KeyStore"]
