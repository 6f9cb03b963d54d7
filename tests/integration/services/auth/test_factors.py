"""The second factor on the real database: it is asked for, works once, and is not guessed."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field

import pyotp
import pytest
import pytest_asyncio

from services.auth.domain.proofs import (
    ChallengeInvalid,
    CodeWrong,
    EmailNotVerified,
    NoSecondFactor,
    Purpose,
    SecondFactorEnabled,
    SecondFactorRequired,
    SecondFactorWrong,
    TooManyAttempts,
)
from services.auth.sessions import Login
from tests.integration.services.auth.conftest import HOME, Auth, Told


@dataclass
class Phone:
    """Somebody with an authenticator, and recovery codes in the drawer."""

    auth: Auth
    user_id: str
    secret: str
    recovery: list[str] = field(default_factory=list)

    def code(self) -> str:
        """Read what it shows now."""
        return pyotp.TOTP(self.secret).at(self.auth.clock())

    async def challenge(self) -> str:
        """Log in as far as the password goes."""
        with pytest.raises(SecondFactorRequired) as required:
            await self.auth.logged_in()
        return str(required.value.metadata["challenge_token"])

    def complete(self, challenge: str, code: str) -> Awaitable[Login]:
        """Go on with a code."""
        return self.auth.logins.complete(challenge, code, HOME)


async def verified(auth: Auth, told: Told) -> str:
    """Register somebody who reads their mail."""
    user_id = await auth.registered()
    await auth.credentials.verify_email((await auth.credentials.issue_code(told.code_ids()[0])).code)
    return user_id


@pytest_asyncio.fixture
async def phone(auth: Auth, told: Told) -> Phone:
    """Somebody with a second factor; a minute later."""
    user_id = await verified(auth, told)
    enrolment = await auth.factor.enrol(await auth.store.get(user_id))
    owner = Phone(auth, user_id, enrolment.secret)
    owner.recovery = await auth.factor.confirm(user_id, owner.code())
    auth.clock.pass_(minutes=1)
    return owner


async def test_a_factor_that_is_not_confirmed_is_not_asked_for(auth: Auth, told: Told) -> None:
    """Who closes the page with the QR code is not locked out."""
    user_id = await verified(auth, told)
    first = await auth.factor.enrol(await auth.store.get(user_id))
    assert first.uri.startswith("otpauth://totp/Ordermesh:ann%40example.com?secret=")
    await auth.logged_in()
    second = await auth.factor.enrol(await auth.store.get(user_id))
    with pytest.raises(CodeWrong):
        await auth.factor.confirm(user_id, pyotp.TOTP(first.secret).at(auth.clock()))
    assert len(await auth.factor.confirm(user_id, pyotp.TOTP(second.secret).at(auth.clock()))) == 10


async def test_a_login_needs_the_code_and_the_code_works_once(phone: Phone, told: Told) -> None:
    """Also for another login within its half a minute."""
    code = phone.code()
    login = await phone.complete(await phone.challenge(), code)
    assert (login.user.id, login.user.second_factor) == (phone.user_id, True)
    with pytest.raises(SecondFactorWrong):
        await phone.complete(await phone.challenge(), code)
    assert "SessionStarted" in told.events()


async def test_of_many_with_the_same_code_at_once_one_is_let_in(phone: Phone) -> None:
    """Whoever looked over the shoulder is late."""
    challenges = [await phone.challenge() for _ in range(5)]
    code = phone.code()
    outcomes = await asyncio.gather(*(phone.complete(each, code) for each in challenges), return_exceptions=True)
    assert sum(isinstance(outcome, Login) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, SecondFactorWrong) for outcome in outcomes) == 4


async def test_a_challenge_takes_five_codes_and_five_minutes(phone: Phone) -> None:
    """And it is met once."""
    challenge = await phone.challenge()
    for _ in range(5):
        with pytest.raises(SecondFactorWrong):
            await phone.complete(challenge, "000000")
    with pytest.raises(ChallengeInvalid):
        await phone.complete(challenge, phone.code())
    late, met = await phone.challenge(), await phone.challenge()
    await phone.complete(met, phone.code())
    with pytest.raises(ChallengeInvalid):
        await phone.complete(met, phone.recovery[0])
    phone.auth.clock.pass_(minutes=5)
    with pytest.raises(ChallengeInvalid):
        await phone.complete(late, phone.code())


async def test_who_knows_the_password_guesses_no_faster_by_logging_in_again(phone: Phone) -> None:
    """Wrong codes are counted for the user, over all challenges."""
    for _ in range(2):
        challenge = await phone.challenge()
        for _ in range(5):
            with pytest.raises(SecondFactorWrong):
                await phone.complete(challenge, "000000")
    challenge = await phone.challenge()
    with pytest.raises(TooManyAttempts):
        await phone.complete(challenge, "000000")


async def test_a_recovery_code_stands_in_once_however_it_is_typed(phone: Phone, told: Told) -> None:
    """Two at once are one."""
    typed = phone.recovery[0].lower().replace("-", " ")
    challenges = [await phone.challenge() for _ in range(3)]
    outcomes = await asyncio.gather(*(phone.complete(each, typed) for each in challenges), return_exceptions=True)
    assert sum(isinstance(outcome, Login) for outcome in outcomes) == 1
    assert told.events().count("RecoveryCodeUsed") == 1


async def test_new_recovery_codes_void_the_old(phone: Phone) -> None:
    """Whoever found the old sheet has nothing."""
    fresh = await phone.auth.factor.replace_codes(phone.user_id, phone.code())
    assert not set(fresh) & set(phone.recovery)
    with pytest.raises(SecondFactorWrong):
        await phone.complete(await phone.challenge(), phone.recovery[0])
    await phone.complete(await phone.challenge(), fresh[9])


async def test_a_factor_is_disabled_by_a_code_and_its_recovery_codes_go_with_it(phone: Phone, told: Told) -> None:
    """Then login asks for the password alone."""
    with pytest.raises(CodeWrong):
        await phone.auth.factor.disable(phone.user_id, "000000")
    with pytest.raises(SecondFactorEnabled):
        await phone.auth.factor.enrol(await phone.auth.store.get(phone.user_id))
    await phone.auth.factor.disable(phone.user_id, phone.code())
    assert not (await phone.auth.logged_in()).user.second_factor
    with pytest.raises(NoSecondFactor):
        await phone.auth.factor.disable(phone.user_id, phone.recovery[0])
    assert "SecondFactorDisabled" in told.events()


async def test_a_reset_of_the_password_leaves_the_factor(phone: Phone, told: Told) -> None:
    """Who reads the mail has one factor, not two."""
    before = set(told.code_ids())
    await phone.auth.credentials.request_mail("ann@example.com", Purpose.PASSWORD_RESET)
    (code_id,) = set(told.code_ids()) - before
    await phone.auth.credentials.reset_password((await phone.auth.credentials.issue_code(code_id)).code, "x" * 12)
    with pytest.raises(SecondFactorRequired):
        await phone.auth.logged_in(password="x" * 12)


async def test_whoever_has_not_verified_the_email_gets_no_factor(auth: Auth) -> None:
    """They might lock out whose address it is."""
    user_id = await auth.registered()
    with pytest.raises(EmailNotVerified):
        await auth.factor.enrol(await auth.store.get(user_id))
