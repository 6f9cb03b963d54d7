"""The call that is being served: who asked, under which request id, and how much time is left.

It lives in a context variable, so that stores and clients need not be handed it through every layer.
"""

import contextlib
import time
import uuid
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call: an end user, or a service acting for itself (then `user_id` is empty).

    `session_id` is the login that the user's token comes from, "" if from none. `peer` is the process that sent the
    call: the edge, or a service. `unrestricted` callers reach what belongs to
    others; the contract's `unrestricted_permission` decides that for each method.
    """

    user_id: str = ""
    email: str = ""
    roles: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()
    peer: str = ""
    unrestricted: bool = False
    session_id: str = ""

    @property
    def actor(self) -> str:
        """Who is named in events and logs: `user:<id>` or `service:<name>`."""
        return f"user:{self.user_id}" if self.user_id else f"service:{self.peer or UNKNOWN}"

    def can_see(self, owner_id: str | None) -> bool:
        """Whether what belongs to that user may be shown. What must not be shown does not exist: NOT_FOUND."""
        return self.unrestricted or (bool(self.user_id) and self.user_id == owner_id)


NOBODY = Caller()


@dataclass(frozen=True, slots=True)
class Call:
    """A call being served, or background work. `deadline` is a moment of time.monotonic(); None means no limit.

    `claims` are the caller's, as they came, to be handed on when a service acts for them.
    """

    request_id: str
    caller: Caller
    deadline: float | None = None
    idempotency_key: str | None = None
    method: str = ""
    claims: str = field(default="", repr=False)
    traceparent: str = ""
    if_match: str | None = None

    def remaining(self) -> float | None:
        """Seconds left to answer, never negative; None without a deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


_NO_CALL = Call(request_id="", caller=NOBODY)
_current: ContextVar[Call] = ContextVar("ordermesh_call", default=_NO_CALL)


def current() -> Call:
    """Return the call being served; outside of one, a call of nobody."""
    return _current.get()


def enter(call: Call) -> None:
    """Make `call` the current one until the task ends."""
    _current.set(call)


@contextlib.contextmanager
def serving(call: Call) -> Iterator[Call]:
    """Make `call` the current one inside."""
    token = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(token)


@contextlib.contextmanager
def background(*, actor: str, request_id: str = "", traceparent: str = "") -> Iterator[Call]:
    """Work that no call is waiting for. `actor` is `service:<name>`, or `user:<id>` whose event caused it."""
    kind, _, name = actor.partition(":")
    caller = Caller(user_id=name) if kind == "user" else Caller(peer=name, unrestricted=True)
    with serving(Call(request_id or new_request_id(), caller, traceparent=traceparent)) as call:
        yield call


def new_request_id() -> str:
    """Make a request id; the edge makes most of them."""
    return str(uuid.uuid4())
