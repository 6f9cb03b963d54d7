"""What somebody shows beside a password, or in its place, and how often they may try. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from mesh import errors


class Purpose(StrEnum):
    """What a code from a mail is for."""

    EMAIL_VERIFICATION = "EMAIL_VERIFICATION"
    PASSWORD_RESET = "PASSWORD_RESET"  # noqa: S105 - a purpose, not a password

    @property
    def lifetime(self) -> timedelta:
        """How long the code works after it was asked for."""
        return timedelta(days=1) if self is Purpose.EMAIL_VERIFICATION else timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often a secret may be tried: `free` times, then after pauses that double up to the longest.

    After `memory` without a try everything is forgotten.
    """

    free: int
    first_pause: timedelta
    longest_pause: timedelta
    memory: timedelta = timedelta(hours=24)


FROM_ONE_NETWORK = Backoff(10, timedelta(seconds=1), timedelta(minutes=15))
"""Logins to one account from one network. It is the guesser's own way that gets longer, not the owner's."""

FROM_ANYWHERE = Backoff(100, timedelta(seconds=30), timedelta(seconds=60), memory=timedelta(hours=1))
"""Logins to one account from networks that its owner never logged in from: against guessers with many addresses."""

BY_THE_OWNER = Backoff(10, timedelta(seconds=1), timedelta(minutes=15))
"""Second factors, and the present password: only who is logged in, or knows the password, gets to try."""

MAILS = Backoff(3, timedelta(minutes=1), timedelta(hours=1))
"""Mails to one address that anybody can cause."""

CHALLENGE_LIFETIME = timedelta(minutes=5)
CHALLENGE_TRIES = 5


class TooManyAttempts(errors.ResourceExhausted):
    """The same was tried too often; it says nothing on whether there is such an account."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(
            "this was tried too often; wait a little and try again", reason="TOO_MANY_ATTEMPTS", retry_after=wait
        )


class CodeInvalid(errors.InvalidArgument):
    """The code of a mail does not work, or not any more."""

    def __init__(self) -> None:
        description = "is wrong, used, replaced or too old; ask for a new mail"
        super().__init__(
            f"the code {description}",
            reason="CODE_INVALID",
            violations=[errors.FieldViolation("code", description, "CODE_INVALID")],
        )


class CodeNotFound(errors.NotFound):
    """A mail is to be written whose code nobody waits for any more."""

    def __init__(self, code_id: str) -> None:
        super().__init__("the request was fulfilled, replaced or is too old", reason="CODE_NOT_FOUND")
        self.code_id = code_id


class PasswordWrong(errors.PermissionDenied):
    """Who is logged in gave a password that isn't theirs."""

    def __init__(self) -> None:
        super().__init__("the present password is another", reason="PASSWORD_WRONG")


class PasswordChangedMeanwhile(errors.Aborted):
    """Two changes at once; the other one was quicker."""

    def __init__(self) -> None:
        super().__init__("the password was changed meanwhile; log in with the new one", reason="PASSWORD_CHANGED")


class SecondFactorRequired(errors.Unauthenticated):
    """The password is right, and not enough."""

    def __init__(self, challenge_token: str) -> None:
        super().__init__(
            "a code of the authenticator is needed as well; go on with CompleteLogin",
            reason="SECOND_FACTOR_REQUIRED",
            metadata={"challenge_token": challenge_token},
        )


class SecondFactorWrong(errors.Unauthenticated):
    """The code is wrong, or was used before."""

    def __init__(self) -> None:
        super().__init__("the code is wrong, or was used before; wait for the next", reason="SECOND_FACTOR_WRONG")


class ChallengeInvalid(errors.Unauthenticated):
    """The first half of the login is too long ago, or had too many wrong codes."""

    def __init__(self) -> None:
        super().__init__("the login took too long, or too many codes; log in again", reason="CHALLENGE_INVALID")


class CodeWrong(errors.PermissionDenied):
    """Who is logged in gave a code that their authenticator does not show."""

    def __init__(self) -> None:
        super().__init__("the code is wrong, or was used before; wait for the next", reason="SECOND_FACTOR_WRONG")


class AdminNotErased(errors.FailedPrecondition):
    """An admin looks after the system; nobody takes one away by the way."""

    def __init__(self) -> None:
        super().__init__("the user is an admin; take that role away first", reason="ADMIN_NOT_ERASED")


class EmailNotVerified(errors.FailedPrecondition):
    """Not before the user has shown that the address is theirs."""

    def __init__(self) -> None:
        super().__init__("verify the email first; the code is in the mail", reason="EMAIL_NOT_VERIFIED")


class SecondFactorEnabled(errors.FailedPrecondition):
    """There is a second factor already."""

    def __init__(self) -> None:
        super().__init__("there is a second factor already; disable it first", reason="SECOND_FACTOR_ENABLED")


class NoSecondFactor(errors.FailedPrecondition):
    """There is none."""

    def __init__(self) -> None:
        super().__init__("there is no second factor; enrol one first", reason="NO_SECOND_FACTOR")
