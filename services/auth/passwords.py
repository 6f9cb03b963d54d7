"""Passwords: Argon2id with memory and passes of RFC 9106's second recommended option, a bounded number at a time.

Checking one takes 64 MiB and some 140 ms of a core by design. More than a few at once would only make all of them late.
"""

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

MEMORY_KIB = 64 * 1024
PASSES = 3
# RFC 9106 has four. One is as dear to whoever guesses, and makes a hash take one core, so that AT_ONCE bounds them.
LANES = 1
AT_ONCE = 2

Result = TypeVar("Result")


class Passwords:
    """Hashes and checks passwords, off the event loop."""

    def __init__(self, hasher: PasswordHasher | None = None, at_once: int = AT_ONCE) -> None:
        """`at_once`: how many are worked on in parallel; the rest waits in line."""
        self._hasher = hasher or PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        # Stands in for the hash of nobody, so that an unknown email can't be told by the time it takes. Made before
        # the first login, which would take twice as long otherwise.
        self._stranger = self._hasher.hash("nobody's password")
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="argon2")

    async def hash(self, password: str) -> str:
        """Return the encoded hash to keep."""
        return await self._run(functools.partial(self._hasher.hash, password))

    async def matches(self, kept: str | None, password: str) -> bool:
        """Tell whether the password is the kept one. Without a kept one it takes as long, and is False."""
        return await self._run(functools.partial(self._matches, kept, password))

    def outdated(self, kept: str) -> bool:
        """Tell whether the hash was made with other parameters than are used now."""
        return self._hasher.check_needs_rehash(kept)

    def _matches(self, kept: str | None, password: str) -> bool:
        try:
            self._hasher.verify(kept or self._stranger, password)
        except VerifyMismatchError:
            return False
        return kept is not None

    async def _run(self, work: "functools.partial[Result]") -> "Result":
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
