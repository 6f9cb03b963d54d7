"""Sealing signing keys."""

import base64
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidTag

from services.auth.keys import KeyVault, generate

NOW = datetime(2026, 5, 4, tzinfo=UTC)


def secret(byte: bytes) -> str:
    """Make a key encryption key."""
    return base64.b64encode(byte * 32).decode()


def test_a_sealed_key_opens_as_it_was() -> None:
    """It signs as before."""
    key = generate(NOW)
    vault = KeyVault(secret(b"a"))
    opened = vault.open(key.id, key.public, vault.seal(key), NOW)
    assert opened.key.as_dict(private=True) == key.key.as_dict(private=True)


def test_a_sealed_key_does_not_open_with_another_secret_or_under_another_id() -> None:
    """Whoever has the database alone has no key, and can't pass one key off as another."""
    key = generate(NOW)
    sealed = KeyVault(secret(b"a")).seal(key)
    with pytest.raises(InvalidTag):
        KeyVault(secret(b"b")).open(key.id, key.public, sealed, NOW)
    with pytest.raises(InvalidTag):
        KeyVault(secret(b"a")).open("another", key.public, sealed, NOW)


def test_a_sealed_key_does_not_contain_the_private_key() -> None:
    """Neither does what is printed of it."""
    key = generate(NOW)
    private = str(key.key.as_dict(private=True)["d"])
    assert private.encode() not in KeyVault(secret(b"a")).seal(key)
    assert private not in repr(key)


def test_a_secret_of_the_wrong_size_is_refused_at_start() -> None:
    """Not at the first login."""
    with pytest.raises(ValueError, match="128, 192, or 256"):
        KeyVault(base64.b64encode(b"short").decode())
