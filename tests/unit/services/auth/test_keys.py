"""Sealing signing keys."""

import base64
import hashlib
from datetime import UTC, datetime

import pytest

from services.auth.keys import KeyVault, WrongSecretError, generate

NOW = datetime(2026, 5, 4, tzinfo=UTC)
TIMES = (NOW, NOW)


def secret(byte: bytes) -> str:
    """Make a key encryption key."""
    return base64.b64encode(byte * 32).decode()


def test_a_sealed_key_opens_as_it_was() -> None:
    """It signs as before."""
    key = generate(NOW)
    vault = KeyVault(secret(b"a"))
    opened = vault.open(key.id, key.public, vault.seal(key), TIMES, vault.name)
    assert opened.key.as_dict(private=True) == key.key.as_dict(private=True)


def test_a_sealed_key_does_not_open_with_another_secret_or_under_another_id() -> None:
    """Whoever has the database alone has no key, and can't pass one key off as another."""
    key = generate(NOW)
    sealed = KeyVault(secret(b"a")).seal(key)
    with pytest.raises(WrongSecretError, match=key.id):
        KeyVault(secret(b"b")).open(key.id, key.public, sealed, TIMES, "")
    with pytest.raises(WrongSecretError, match="another"):
        KeyVault(secret(b"a")).open("another", key.public, sealed, TIMES, "")


def test_a_key_that_an_earlier_secret_sealed_opens_while_that_is_known() -> None:
    """So that a secret can be replaced without ending a session."""
    key = generate(NOW)
    earlier = KeyVault(secret(b"a"))
    sealed = earlier.seal(key)
    both = KeyVault(secret(b"b"), [secret(b"a")])
    assert both.open(key.id, key.public, sealed, TIMES, earlier.name).public == key.public
    assert both.name == KeyVault(secret(b"b")).name != earlier.name
    with pytest.raises(WrongSecretError, match="PREVIOUS"):
        KeyVault(secret(b"b")).open(key.id, key.public, sealed, TIMES, earlier.name)


def test_a_sealed_key_does_not_contain_the_private_key() -> None:
    """Neither does what is printed of it."""
    key = generate(NOW)
    private = str(key.key.as_dict(private=True)["d"])
    assert private.encode() not in KeyVault(secret(b"a")).seal(key)
    assert private not in repr(key)


@pytest.mark.parametrize(
    "wrong", [base64.b64encode(b"a" * 16).decode(), base64.b64encode(b"a" * 33).decode(), "a b", ""]
)
def test_a_secret_that_is_not_256_bits_in_base64_is_refused_at_start(wrong: str) -> None:
    """Not at the first login; 128 bits would work, and be less than was asked for."""
    with pytest.raises(ValueError, match="openssl rand -base64 32") as refusal:
        KeyVault(wrong)
    assert not wrong or wrong not in str(refusal.value)


def test_a_key_is_named_by_its_thumbprint() -> None:
    """RFC 7638: the name follows from the key, so no two keys share one."""
    key = generate(NOW)
    canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{key.public}"}}'
    digest = base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest())
    assert key.id == digest.rstrip(b"=").decode()
