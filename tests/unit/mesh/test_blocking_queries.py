"""Following one path of Consul's API through failures."""

import asyncio
import contextlib
from typing import Any

import pytest
from structlog.testing import capture_logs

from mesh import blocking_queries
from mesh.blocking_queries import Answer, ConsulUnreadableError

DENIED, AWAY = ConsulUnreadableError("HTTP 403: Permission denied"), TimeoutError()


class ScriptedAgent:
    """Gives one answer after the other, and then none any more."""

    def __init__(self, *answers: Answer[Any] | Exception) -> None:
        """Take the answers."""
        self._answers = list(answers)
        self.done = asyncio.Event()

    async def ask(self, _path: str, _index: int, missing: object) -> Answer[Any]:
        """Answer, or fail."""
        assert missing == []
        if not self._answers:
            self.done.set()
            await asyncio.Event().wait()
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_failure_that_lasts_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until something was heard again, or it is another one; what is heard goes on after each."""
    monkeypatch.setattr(blocking_queries, "PAUSE_SECONDS", 0)
    agent, heard = ScriptedAgent(DENIED, DENIED, AWAY, Answer(1, ["a"]), AWAY, AWAY, Answer(2, ["b"])), list[Any]()
    following = blocking_queries._follow_for_ever(agent, "/v1/kv/a", heard.append, [])  # type: ignore[arg-type]  # noqa: SLF001
    with capture_logs() as lines:
        task = asyncio.create_task(following)
        await agent.done.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    assert heard == [["a"], ["b"]]
    assert [line["error"] for line in lines] == ["HTTP 403: Permission denied", "TimeoutError", "TimeoutError"]
