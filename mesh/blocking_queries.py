"""Following what Consul knows: a query that waits on the agent's side until there is news."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import aiohttp

from mesh.settings import MeshSettings
from mesh.telemetry import get_logger

_log = get_logger(__name__)

WAIT_SECONDS = 30
"""How long Consul may hold a query that has no news; it adds up to a sixteenth."""

FILTERED = "X-Consul-Results-Filtered-By-ACLs"
"""How Consul says that an answer lacks what the token may not read: it may even look like nothing."""

PAUSE_SECONDS = 1.0

Body = TypeVar("Body")


class ConsulUnreadableError(Exception):
    """Consul answered, but not with what it knows: it has no leader, or the token may not read."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[Body]):
    """The reply to a blocking query: `index` names the state it reflects, to wait beyond."""

    index: int
    body: Body


class Agent:
    """Consul's HTTP API. Raises `ConsulUnreadableError`, `aiohttp.ClientError` or `TimeoutError`."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        """Take a client session whose base URL is Consul's and which sends the token."""
        self._http = http

    async def ask(self, path: str, index: int, missing: Any = None) -> Answer[Any]:  # noqa: ANN401 - JSON
        """Ask once; `index` 0 asks for an answer at once. What isn't there is `missing`, if that is given.

        The first answer is a consistent one: after a restart Consul plays back its log, and to a default query it
        shows what it has come to so far, such as a service whose instances registered later in the log.
        """
        timeout = aiohttp.ClientTimeout(total=WAIT_SECONDS * 17 / 16 + 5, sock_connect=2)
        wait = {"index": str(index), "wait": f"{WAIT_SECONDS}s"} if index else {"consistent": ""}
        async with self._http.get(path, params=wait, timeout=timeout) as response:
            if response.headers.get(FILTERED) == "true":
                message = f"{path}: the token may not read all of it"
                raise ConsulUnreadableError(message)
            if response.status == HTTPStatus.NOT_FOUND and missing is not None:
                return Answer(int(response.headers["X-Consul-Index"]), missing)
            if response.status != HTTPStatus.OK:
                message = f"{path}: HTTP {response.status}: {(await response.text()).strip()[:200]}"
                raise ConsulUnreadableError(message)
            return Answer(int(response.headers["X-Consul-Index"]), await response.json())


@contextlib.asynccontextmanager
async def agent_of(settings: MeshSettings) -> AsyncIterator[Agent]:
    """Open a session with the agent that settings name."""
    token = settings.consul_token.get_secret_value()
    headers = {"X-Consul-Token": token} if token else {}
    encrypted = settings.consul_http.startswith("https:")
    trusted = ssl.create_default_context(cafile=settings.consul_ca) if encrypted else True
    connector = aiohttp.TCPConnector(limit=0, ssl=trusted)  # Each query holds its connection.
    async with aiohttp.ClientSession(settings.consul_http, headers=headers, connector=connector) as http:
        yield Agent(http)


async def follow(ask: Callable[[int], Awaitable[Answer[Body]]], heard: Callable[[Body], None]) -> None:
    """Repeat a blocking query for ever. An index that goes backwards starts over, as Consul's manual asks."""
    index = 0
    while True:
        answer = await ask(index)
        if answer.index < 1:
            message = f"Consul answered with index {answer.index}, which cannot be waited on"
            raise ConsulUnreadableError(message)
        if answer.index != index:
            heard(answer.body)
        index = answer.index if answer.index >= index else 0


async def keep_following(
    settings: MeshSettings,
    path: str,
    heard: Callable[[Any], None],
    stop: asyncio.Event,
    *,
    missing: Any,  # noqa: ANN401 - JSON
) -> None:
    """Follow one path until stopped, whatever happens to Consul; see `Agent.ask`."""
    async with agent_of(settings) as agent:
        following = asyncio.create_task(_follow_for_ever(agent, path, heard, missing))
        await stop.wait()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _follow_for_ever(agent: Agent, path: str, heard: Callable[[Any], None], missing: object) -> None:
    complaint = ""

    def heard_again(body: object) -> None:
        nonlocal complaint
        complaint = ""
        heard(body)

    while True:
        try:
            await follow(lambda index: agent.ask(path, index, missing=missing), heard_again)
        except (aiohttp.ClientError, TimeoutError, ConsulUnreadableError) as failure:
            before, complaint = complaint, str(failure) or type(failure).__name__
            if complaint != before:  # Said once, however long it lasts.
                _log.warning("Consul can't be read", path=path, error=complaint)
        await asyncio.sleep(PAUSE_SECONDS)
