"""Hashing passwords: how dear, how many at once, and the same for those who don't exist."""

import asyncio
import threading
import time
from typing import Literal

import pytest
from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError

from services.auth.passwords import Passwords
from tests.unit.services.auth.fakes import quick_passwords

PASSWORD = "correct horse battery"


class Counting(PasswordHasher):
    """Counts verifications, all of them and those at the same time."""

    def __init__(self) -> None:
        """Hash at next to no cost."""
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified: list[str] = []
        self.most = 0
        self._running = 0
        self._lock = threading.Lock()

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - argon2's own name
        """Wait a little for others to come, then verify."""
        with self._lock:
            self._running += 1
            self.most = max(self.most, self._running)
            self.verified.append(str(hash))
        time.sleep(0.02)
        try:
            return super().verify(hash, password)
        finally:
            with self._lock:
                self._running -= 1


async def test_the_hash_is_argon2id_with_the_memory_and_passes_of_rfc_9106() -> None:
    """Its second recommended option, section 4."""
    found = extract_parameters(await Passwords().hash(PASSWORD))
    assert (found.type, found.memory_cost, found.time_cost, found.parallelism) == (Type.ID, 64 * 1024, 3, 1)


async def test_only_the_password_that_was_hashed_matches() -> None:
    """Case and space count."""
    passwords = quick_passwords()
    kept = await passwords.hash(PASSWORD)
    assert await passwords.matches(kept, PASSWORD)
    assert not await passwords.matches(kept, PASSWORD.upper())
    assert not await passwords.matches(kept, PASSWORD + " ")


async def test_one_who_does_not_exist_costs_one_verification_from_the_first_on() -> None:
    """With the same parameters as everybody's, and no password is theirs."""
    hasher = Counting()
    passwords = Passwords(hasher)
    for given in (PASSWORD, "nobody's password"):
        assert not await passwords.matches(None, given)
    assert len(hasher.verified) == 2
    assert not hasher.check_needs_rehash(hasher.verified[0])


async def test_no_more_are_verified_at_once_than_allowed() -> None:
    """The rest waits in line, off the event loop."""
    hasher = Counting()
    passwords = Passwords(hasher, at_once=2)
    kept = await passwords.hash(PASSWORD)
    assert all(await asyncio.gather(*(passwords.matches(kept, PASSWORD) for _ in range(6))))
    assert hasher.most == 2


async def test_a_hash_that_is_none_is_a_defect_and_not_a_wrong_password() -> None:
    """It must be seen."""
    with pytest.raises(InvalidHashError):
        await quick_passwords().matches("no hash", PASSWORD)


async def test_a_hash_of_other_parameters_is_outdated() -> None:
    """One of the same is not."""
    kept = await quick_passwords().hash(PASSWORD)
    assert quick_passwords(time_cost=2).outdated(kept)
    assert not quick_passwords().outdated(kept)
