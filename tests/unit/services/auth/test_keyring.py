"""When keys sign and verify, by the clock."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from mesh import errors
from services.auth.keyring import FRESH, KeyRing, Schedule
from services.auth.keys import SigningKey, WrongSecretError
from tests.unit.services.auth.fakes import MemoryKeys

WAIT, AGE, KEEP = timedelta(minutes=3), timedelta(days=30), timedelta(minutes=20)


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        """Start on a day in May."""
        self.now = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now

    def pass_(self, time: timedelta) -> None:
        """Let time pass, and a moment more."""
        self.now += time + timedelta(seconds=1)


@pytest.fixture
def clock() -> Clock:
    """Tell the time."""
    return Clock()


@pytest.fixture
def store(clock: Clock) -> MemoryKeys:
    """Keep keys."""
    return MemoryKeys(clock)


@pytest.fixture
def ring(store: MemoryKeys, clock: Clock) -> KeyRing:
    """Look after keys."""
    return KeyRing(store, Schedule(WAIT, AGE, KEEP), clock)


async def look_after(ring: KeyRing) -> None:
    """Let the background worker do its round."""
    stop = asyncio.Event()
    asyncio.get_running_loop().call_soon(stop.set)
    await ring.run(stop)


async def test_the_first_key_signs_at_once(ring: KeyRing) -> None:
    """Nobody relies on another."""
    assert [(await ring.signing()).id] == [key.id for key in await ring.published()]


async def test_two_instances_that_start_at_once_sign_with_the_same_key(store: MemoryKeys, clock: Clock) -> None:
    """Whoever came second takes the key of the first."""
    rings = [KeyRing(store, Schedule(WAIT, AGE, KEEP), clock) for _ in range(2)]
    first, second = await asyncio.gather(*(ring.signing() for ring in rings))
    assert first == second


async def test_a_new_key_is_public_before_it_signs(ring: KeyRing, clock: Clock) -> None:
    """So that whoever verifies has it by then."""
    old = await ring.signing()
    new = (await ring.rotate()).key_id
    clock.pass_(FRESH)
    assert {key.id for key in await ring.published()} == {old.id, new}
    assert (await ring.signing()).id == old.id
    clock.pass_(WAIT)
    assert (await ring.signing()).id == new


async def test_a_second_rotation_while_a_key_waits_makes_no_other(ring: KeyRing, store: MemoryKeys) -> None:
    """The command can be given twice."""
    await ring.signing()
    first, second = await ring.rotate(), await ring.rotate()
    assert (first.key_id, first.added, second.added) == (second.key_id, True, False)
    assert len(store.kept) == 2


async def test_an_old_key_verifies_until_its_last_token_has_ended(ring: KeyRing, clock: Clock) -> None:
    """Then it is deleted."""
    old = await ring.signing()
    await ring.rotate()
    clock.pass_(WAIT + KEEP - timedelta(seconds=10))
    await look_after(ring)
    assert old in await ring.published()
    clock.pass_(FRESH)
    await look_after(ring)
    clock.pass_(FRESH)
    assert old not in await ring.published()


async def test_a_key_is_replaced_when_it_is_old(ring: KeyRing, store: MemoryKeys, clock: Clock) -> None:
    """By itself, and once."""
    await ring.signing()
    clock.pass_(AGE)
    await look_after(ring)
    await look_after(ring)
    assert len(store.kept) == 2


async def test_knowledge_of_the_keys_is_used_for_a_while(ring: KeyRing, store: MemoryKeys, clock: Clock) -> None:
    """Logins don't read them each time."""
    for _ in range(3):
        await ring.signing()
    before = store.reads
    await ring.signing()
    assert store.reads == before
    clock.pass_(FRESH)
    await ring.signing()
    assert store.reads == before + 1


async def test_without_the_database_keys_are_published_and_nothing_is_signed(
    ring: KeyRing, store: MemoryKeys, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens that were issued go on; whether the key was replaced meanwhile nobody knows."""
    known = await ring.published()

    async def away() -> list[SigningKey]:
        raise errors.Unavailable("away")

    monkeypatch.setattr(store, "keys", away)
    clock.pass_(FRESH)
    assert await ring.published() == known
    with pytest.raises(errors.Unavailable):
        await ring.signing()


async def test_health_says_when_the_keys_cannot_be_opened(
    ring: KeyRing, store: MemoryKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could log in; the next check tries again."""

    async def sealed() -> list[SigningKey]:
        raise WrongSecretError("k1")

    with monkeypatch.context() as patch:
        patch.setattr(store, "keys", sealed)
        with pytest.raises(WrongSecretError):
            await ring.check()
    await ring.check()
