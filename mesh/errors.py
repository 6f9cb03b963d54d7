"""The errors that callers are told about. Nothing here knows gRPC; mesh.status says how each one travels.

::

    mesh.errors.Error
    ├── InvalidArgument      the request itself is wrong
    ├── OutOfRange           … beyond the end of what there is
    ├── Unauthenticated      who is calling?
    ├── PermissionDenied     may not
    ├── NotFound             no such thing, or not the caller's
    ├── AlreadyExists        would be the second
    ├── FailedPrecondition   not in this state; repeating won't help
    ├── Aborted              somebody else was quicker; start over
    ├── ResourceExhausted    too much; later
    ├── Unavailable          not now; the same call may be repeated
    ├── DeadlineExceeded     not in time
    ├── Cancelled            the caller hung up
    ├── Unimplemented        not here
    └── Internal             our fault
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import ClassVar

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """What is wrong with one field of the request; `field` is its path, such as `lines[0].sku`."""

    field: str
    description: str
    reason: str = ""


class Error(Exception):
    """An answer that isn't the one hoped for: a sentence for people, a reason for programs.

    - `code`: the name of its google.rpc.Code.
    - `reason`: UPPER_SNAKE_CASE, constant for the kind of error (AIP-193); the code's name unless said otherwise.
    - `metadata`: what a program may want to know about this one, such as the id asked for.
    - `violations`: which fields are wrong, and what to send instead.
    - `retry_after`: when the same call may do better.
    """

    code: ClassVar[str] = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.code
        self.metadata = metadata or _NOTHING
        self.violations = tuple(violations)
        self.retry_after = retry_after


class InvalidArgument(Error):
    """The request is wrong, whatever the state of the system."""

    code = "INVALID_ARGUMENT"


class OutOfRange(Error):
    """The request asks beyond the end of what there is."""

    code = "OUT_OF_RANGE"


class Unauthenticated(Error):
    """The caller didn't prove who they are."""

    code = "UNAUTHENTICATED"


class PermissionDenied(Error):
    """The caller is known and may not do this."""

    code = "PERMISSION_DENIED"


class NotFound(Error):
    """There is no such thing, or it is somebody else's, which callers must not be able to tell apart."""

    code = "NOT_FOUND"


class AlreadyExists(Error):
    """What should be made is there already, or the key it goes by is taken."""

    code = "ALREADY_EXISTS"


class FailedPrecondition(Error):
    """The thing isn't in the state for this; repeating the call won't help until somebody changes it."""

    code = "FAILED_PRECONDITION"


class Aborted(Error):
    """Somebody else changed it meanwhile: read again and start over."""

    code = "ABORTED"


class ResourceExhausted(Error):
    """A limit is reached."""

    code = "RESOURCE_EXHAUSTED"


class Unavailable(Error):
    """Not at this moment; the same call may be repeated."""

    code = "UNAVAILABLE"


class DeadlineExceeded(Error):
    """The time was up before the answer was there; what became of the call is not known."""

    code = "DEADLINE_EXCEEDED"


class Cancelled(Error):
    """Whoever called doesn't wait any more."""

    code = "CANCELLED"


class Unimplemented(Error):
    """The server doesn't know the method."""

    code = "UNIMPLEMENTED"


class Internal(Error):
    """A defect of ours; the log has the story under the request id."""

    code = "INTERNAL"


BY_CODE: Mapping[str, type[Error]] = MappingProxyType({kind.code: kind for kind in Error.__subclasses__()})
"""The class of each code, for turning a received status back into an error."""
