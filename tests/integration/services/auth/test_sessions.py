"""Sessions on the real database: rotation, reuse, two at once, and their end."""

import asyncio
import uuid

import pytest

from services.auth.domain.sessions import RefreshToken, RefreshTokenRotated, SessionEnded, SessionNotFound
from services.auth.sessions import Login
from tests.integration.services.auth.conftest import ABROAD, EMAIL, HOME, PASSWORD, Auth, Told


async def test_a_refresh_gives_the_next_token_and_prolongs_the_session(auth: Auth) -> None:
    """The session stays the same; where it was used from is the newest."""
    await auth.registered()
    login = await auth.logged_in()
    auth.clock.pass_(days=20)
    refreshed = await auth.sessions.refresh(login.refresh_token, ABROAD)
    assert refreshed.session.id == login.session.id
    assert refreshed.refresh_token != login.refresh_token
    assert refreshed.session.expire_time > login.session.expire_time
    (session,) = await auth.sessions.page(login.user.id, None, 10)
    assert session.client == ABROAD


async def test_no_session_outlives_its_longest_time(auth: Auth) -> None:
    """However often it is refreshed."""
    await auth.registered()
    login = await auth.logged_in()
    token = login.refresh_token
    for _ in range(4):
        auth.clock.pass_(days=22)
        token = (await auth.sessions.refresh(token, HOME)).refresh_token
    auth.clock.pass_(days=2)
    with pytest.raises(SessionEnded):
        await auth.sessions.refresh(token, HOME)


async def test_an_old_token_ends_the_whole_session(auth: Auth, told: Told) -> None:
    """Somebody has a copy; who of the two is the thief nobody knows."""
    await auth.registered()
    stolen = (await auth.logged_in()).refresh_token
    newest = (await auth.sessions.refresh(stolen, HOME)).refresh_token
    auth.clock.pass_(seconds=11)
    with pytest.raises(SessionEnded):
        await auth.sessions.refresh(stolen, ABROAD)
    with pytest.raises(SessionEnded):
        await auth.sessions.refresh(newest, HOME)
    assert told.events()[-1] == "SessionsEnded"


async def test_a_token_of_before_the_last_is_no_coincidence_even_at_once(auth: Auth) -> None:
    """The grace is for the one before the newest only."""
    await auth.registered()
    first = (await auth.logged_in()).refresh_token
    second = (await auth.sessions.refresh(first, HOME)).refresh_token
    third = (await auth.sessions.refresh(second, HOME)).refresh_token
    with pytest.raises(SessionEnded):
        await auth.sessions.refresh(first, HOME)
    with pytest.raises(SessionEnded):
        await auth.sessions.refresh(third, HOME)


async def test_of_many_refreshes_at_once_one_is_served_and_the_session_goes_on(auth: Auth) -> None:
    """Two tabs of one browser: the others are told to take what the first one got."""
    await auth.registered()
    token = (await auth.logged_in()).refresh_token
    outcomes = await asyncio.gather(*(auth.sessions.refresh(token, HOME) for _ in range(8)), return_exceptions=True)
    (served,) = [each for each in outcomes if isinstance(each, Login)]
    assert sum(isinstance(each, RefreshTokenRotated) for each in outcomes) == 7
    await auth.sessions.refresh(served.refresh_token, HOME)


@pytest.mark.parametrize("text", ["", "x", "not base64!", "A" * 86, str(RefreshToken.new())])
async def test_what_is_no_token_is_a_session_that_has_ended(auth: Auth, text: str) -> None:
    """Nothing more is said of it."""
    with pytest.raises(SessionEnded):
        await auth.sessions.refresh(text, HOME)


async def test_a_logout_ends_the_session_by_any_of_its_tokens(auth: Auth, told: Told) -> None:
    """And is no error when it comes twice."""
    await auth.registered()
    old = (await auth.logged_in()).refresh_token
    newest = (await auth.sessions.refresh(old, HOME)).refresh_token
    for token in (old, old, "nonsense"):
        await auth.sessions.log_out(token, "", "")
    with pytest.raises(SessionEnded):
        await auth.sessions.refresh(newest, HOME)
    assert told.events().count("SessionsEnded") == 1


async def test_a_user_sees_and_ends_their_sessions_only(auth: Auth) -> None:
    """Another user's session is not found."""
    ann, bob = await auth.registered(), await auth.registered("bob@example.com")
    at_home, abroad = await auth.logged_in(), await auth.logged_in(client=ABROAD)
    bobs = await auth.logged_in("bob@example.com")
    seen = await auth.sessions.page(ann, None, 10)
    assert [session.id for session in seen] == [abroad.session.id, at_home.session.id]
    for session_id in (bobs.session.id, str(uuid.uuid4())):
        with pytest.raises(SessionNotFound):
            await auth.sessions.revoke(ann, session_id)
    await auth.sessions.revoke(ann, abroad.session.id)
    with pytest.raises(SessionEnded):
        await auth.sessions.require(ann, abroad.session.id)
    await auth.sessions.require(ann, at_home.session.id)
    with pytest.raises(SessionEnded):
        await auth.sessions.require(bob, at_home.session.id)


async def test_all_sessions_but_one_end(auth: Auth) -> None:
    """Once: nothing is left to end the second time."""
    ann = await auth.registered()
    logins = [await auth.logged_in() for _ in range(3)]
    keep = logins[1].session.id
    assert await auth.sessions.revoke_all(ann, but=keep) == 2
    assert await auth.sessions.revoke_all(ann, but=keep) == 0
    assert [session.id for session in await auth.sessions.page(ann, None, 10)] == [keep]


async def test_reuse_logout_and_revocation_at_once_end_it_once(auth: Auth, told: Told) -> None:
    """They wait for each other in a line and never in a circle."""
    ann = await auth.registered()
    login = await auth.logged_in()
    await auth.sessions.refresh(login.refresh_token, HOME)
    auth.clock.pass_(minutes=1)
    await asyncio.gather(
        *(auth.sessions.refresh(login.refresh_token, HOME) for _ in range(3)),
        *(auth.sessions.log_out(login.refresh_token, "", "") for _ in range(3)),
        *(auth.sessions.revoke_all(ann) for _ in range(3)),
        return_exceptions=True,
    )
    assert told.events().count("SessionsEnded") == 1


async def test_logins_at_once_each_get_a_session_and_an_event(auth: Auth, told: Told) -> None:
    """The sequence of a user's events has no gap and no double."""
    ann = await auth.registered()
    await asyncio.gather(*(auth.logins.log_in(EMAIL, PASSWORD, HOME) for _ in range(8)))
    assert len(await auth.sessions.page(ann, None, 20)) == 8
    assert told.events().count("SessionStarted") == 8
