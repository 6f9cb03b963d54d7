"""The edge's REST API as a client sees it: JSON in and out, every refusal an error that names it."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from google.rpc import code_pb2

from deploy.native.provision.waiting import ProvisionError, wait_for
from deploy.native.runtime import Runtime

HOST = "127.0.0.1"
# Longer than the longest deadline in the contracts.
REQUEST_TIMEOUT_S = 20
IDEMPOTENCY_KEY = "Idempotency-Key"

Json = dict[str, Any]
Parameter = str | int | Sequence[str]

T = TypeVar("T")


class ApiError(ProvisionError):
    """The edge or a service refused a request; `code` is the name of its google.rpc.Code."""

    def __init__(self, message: str, code: str) -> None:
        """`message` says which request was refused and why."""
        super().__init__(message)
        self.code = code


class NotReady(ApiError):
    """Nobody could answer yet: no edge, no instance of the service, or one that is still starting."""


class Api:
    """One session with the edge; after `login` it speaks for that user."""

    def __init__(self, base_url: str, *, transport: httpx.BaseTransport | None = None) -> None:
        """`base_url` without a path; `transport` is for tests."""
        self.base_url = base_url
        self._http = httpx.Client(base_url=base_url, timeout=REQUEST_TIMEOUT_S, transport=transport)

    @classmethod
    def of(cls, runtime: Runtime) -> Self:
        """Speak to a stack's edge over plain http."""
        return cls(f"http://{HOST}:{runtime.port('edge', 'http')}")

    def __enter__(self) -> Self:
        """Close the connections on leaving."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._http.close()

    def login(self, email: str, password: str) -> Json:
        """Speak for this user from now on; gives auth's answer."""
        answer = self.post("/api/v1/auth/login", {"email": email, "password": password})
        self._http.headers["Authorization"] = f"Bearer {answer['accessToken']}"
        return answer

    def get(self, path: str, **parameters: Parameter) -> Json:
        """Read. Raises ApiError."""
        return self._ask("GET", path, params=parameters)

    def post(self, path: str, body: Json, *, key: str = "") -> Json:
        """Change something, once for each `key` if there is one. Raises ApiError."""
        return self._ask("POST", path, json=body, headers={IDEMPOTENCY_KEY: key} if key else {})

    def _ask(self, verb: str, path: str, **request: Any) -> Json:  # noqa: ANN401 - httpx's own arguments
        try:
            reply = self._http.request(verb, path, **request)
        except httpx.TransportError as error:
            message = f"{verb} {path}: {str(error) or type(error).__name__}"
            raise NotReady(message, "UNAVAILABLE") from error
        if reply.is_error:
            raise _refusal(f"{verb} {path}", reply)
        answer: Json = reply.json()
        return answer


def patiently(what: str, ask: Callable[[], T]) -> T:
    """Repeat a request, which must be safe to repeat, until somebody can answer it."""
    return wait_for(what, ask, errors=(NotReady,))


def _refusal(request: str, reply: httpx.Response) -> ApiError:
    """Read the google.rpc.Status of a reply; the edge answers with one, too."""
    try:
        status = reply.json()
        code = code_pb2.Code.Name(status["code"])
        message = status.get("message", "")
    except (ValueError, KeyError, TypeError):
        code, message = "UNKNOWN", reply.text[:200]
    waits = code == "UNAVAILABLE" or reply.status_code == httpx.codes.SERVICE_UNAVAILABLE
    kind = NotReady if waits else ApiError
    return kind(f"{request}: {reply.status_code} {code} {message}".rstrip(), code)
