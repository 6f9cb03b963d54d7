"""Verification and reset by mail, and changing the password, on the real database."""

import asyncio
from datetime import timedelta

import pytest

from services.auth.domain import InvalidCredentials
from services.auth.domain.proofs import (
    CodeInvalid,
    CodeNotFound,
    PasswordChangedMeanwhile,
    PasswordWrong,
    Purpose,
    TooManyAttempts,
)
from services.auth.domain.sessions import SessionEnded
from services.common.ids import new_id
from tests.integration.services.auth.conftest import ABROAD, EMAIL, HOME, PASSWORD, Auth, Told

FRESH = "another long password"


async def reset_code(auth: Auth, told: Told) -> str:
    """Forget the password, and read the mail."""
    before = told.code_ids()
    await auth.credentials.request_mail(EMAIL, Purpose.PASSWORD_RESET)
    (code_id,) = set(told.code_ids()) - set(before)
    return (await auth.credentials.issue_code(code_id)).code


async def test_a_code_from_the_mail_verifies_the_email_once(auth: Auth, told: Told) -> None:
    """The second time it is used up."""
    ann = await auth.registered()
    (code_id,) = told.code_ids()
    code = (await auth.credentials.issue_code(code_id)).code
    assert not (await auth.store.get(ann)).email_verified
    await auth.credentials.verify_email(code)
    assert (await auth.store.get(ann)).email_verified
    with pytest.raises(CodeInvalid):
        await auth.credentials.verify_email(code)
    assert told.events()[-1] == "EmailVerified"


async def test_a_mail_that_is_written_again_has_the_code_that_works(auth: Auth, told: Told) -> None:
    """Nobody keeps the first one, so a second try makes another."""
    await auth.registered()
    (code_id,) = told.code_ids()
    first, second = [(await auth.credentials.issue_code(code_id)).code for _ in range(2)]
    with pytest.raises(CodeInvalid):
        await auth.credentials.verify_email(first)
    await auth.credentials.verify_email(second)


async def test_a_newer_mail_replaces_the_one_before(auth: Auth, told: Told) -> None:
    """Also one that was not written yet."""
    await auth.registered()
    (old,) = told.code_ids()
    code = (await auth.credentials.issue_code(old)).code
    await auth.credentials.request_mail(EMAIL, Purpose.EMAIL_VERIFICATION)
    with pytest.raises(CodeNotFound):
        await auth.credentials.issue_code(old)
    with pytest.raises(CodeInvalid):
        await auth.credentials.verify_email(code)


async def test_codes_end_by_themselves_and_are_good_for_one_purpose(auth: Auth, told: Told) -> None:
    """A day for an email, an hour for a password."""
    await auth.registered()
    (verification,) = told.code_ids()
    code = await reset_code(auth, told)
    with pytest.raises(CodeInvalid):
        await auth.credentials.verify_email(code)
    auth.clock.pass_(hours=1)
    with pytest.raises(CodeInvalid):
        await auth.credentials.reset_password(code, FRESH)
    await auth.credentials.verify_email((await auth.credentials.issue_code(verification)).code)


async def test_a_reset_ends_all_sessions_and_verifies_the_email(auth: Auth, told: Told) -> None:
    """Whoever had the old password is out; who reads the mail is the owner."""
    ann = await auth.registered()
    login = await auth.logged_in()
    await auth.credentials.reset_password(await reset_code(auth, told), FRESH)
    with pytest.raises(SessionEnded):
        await auth.sessions.refresh(login.refresh_token, HOME)
    with pytest.raises(InvalidCredentials):
        await auth.logged_in()
    assert (await auth.logged_in(password=FRESH)).user.id == ann
    assert (await auth.store.get(ann)).email_verified
    assert told.events()[-3:] == ["PasswordChanged", "SessionsEnded", "SessionStarted"]


async def test_of_two_resets_at_once_one_sets_the_password(auth: Auth, told: Told) -> None:
    """The code is taken under the user's lock."""
    await auth.registered()
    code = await reset_code(auth, told)
    passwords = [f"password number {each}" for each in range(6)]
    outcomes = await asyncio.gather(
        *(auth.credentials.reset_password(code, each) for each in passwords), return_exceptions=True
    )
    (winner,) = [password for password, outcome in zip(passwords, outcomes, strict=True) if outcome is None]
    assert all(isinstance(outcome, CodeInvalid) for outcome in outcomes if outcome is not None)
    await auth.logged_in(password=winner)
    assert told.events().count("PasswordChanged") == 1


async def test_asking_for_a_mail_says_the_same_for_whomever(auth: Auth, told: Told) -> None:
    """An unknown address, a known one, one with enough mails: nothing is said, and few mails are sent."""
    await auth.registered()
    for _ in range(10):
        await auth.credentials.request_mail(EMAIL, Purpose.PASSWORD_RESET)
        await auth.credentials.request_mail("nobody@example.com", Purpose.PASSWORD_RESET)
    assert told.events().count("PasswordResetRequested") == 2  # The registration's own mail was the first of three.
    auth.clock.pass_(hours=2)
    await auth.credentials.request_mail(EMAIL, Purpose.PASSWORD_RESET)
    assert told.events().count("PasswordResetRequested") == 3


async def test_a_verified_address_gets_no_further_mail_to_verify_it(auth: Auth, told: Told) -> None:
    """It has no use."""
    await auth.registered()
    await auth.credentials.verify_email((await auth.credentials.issue_code(told.code_ids()[0])).code)
    await auth.credentials.request_mail(EMAIL, Purpose.EMAIL_VERIFICATION)
    assert told.events().count("EmailVerificationRequested") == 1


@pytest.mark.parametrize("code", ["x", "A" * 43])
async def test_a_code_that_nobody_sent_is_refused_before_it_costs_anything(auth: Auth, code: str) -> None:
    """The same for both purposes."""
    with pytest.raises(CodeInvalid):
        await auth.credentials.verify_email(code)
    with pytest.raises(CodeInvalid):
        await auth.credentials.reset_password(code, FRESH)
    with pytest.raises(CodeNotFound):
        await auth.credentials.issue_code(new_id())


async def test_a_change_of_password_ends_the_other_sessions(auth: Auth) -> None:
    """The one that asks goes on."""
    ann = await auth.registered()
    here, there = await auth.logged_in(), await auth.logged_in(client=ABROAD)
    await auth.credentials.change_password(ann, here.session.id, PASSWORD, FRESH)
    await auth.sessions.refresh(here.refresh_token, HOME)
    with pytest.raises(SessionEnded):
        await auth.sessions.refresh(there.refresh_token, ABROAD)


async def test_who_does_not_know_the_password_cannot_change_it_nor_guess_for_long(auth: Auth) -> None:
    """A stolen access token is not enough."""
    ann = await auth.registered()
    session = (await auth.logged_in()).session.id
    for _ in range(10):
        with pytest.raises(PasswordWrong):
            await auth.credentials.change_password(ann, session, "a wrong password", FRESH)
    with pytest.raises(TooManyAttempts) as refused:
        await auth.credentials.change_password(ann, session, PASSWORD, FRESH)
    assert refused.value.retry_after == timedelta(seconds=1)


async def test_of_two_changes_at_once_one_holds(auth: Auth) -> None:
    """The other one is told, and its session has ended."""
    ann = await auth.registered()
    logins = [await auth.logged_in(), await auth.logged_in(client=ABROAD)]
    passwords = ["the first of two passwords", "the second of two passwords"]
    outcomes = await asyncio.gather(
        *(
            auth.credentials.change_password(ann, login.session.id, PASSWORD, password)
            for login, password in zip(logins, passwords, strict=True)
        ),
        return_exceptions=True,
    )
    (refusal,) = [outcome for outcome in outcomes if outcome is not None]
    assert isinstance(refusal, PasswordChangedMeanwhile | PasswordWrong)  # By whether it had looked before or after.
    await auth.logged_in(password=passwords[outcomes.index(None)])
