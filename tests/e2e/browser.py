"""A tab of a headless Chromium, spoken to in its DevTools protocol. It is the machine's own: Debian's `chromium`."""

import asyncio
import contextlib
import itertools
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S = 60
# The tests' own pages need no sandbox, which root cannot have; /dev/shm is small in many places.
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0")
# Looks again until there is something to see.
UNTIL = """
const until = async (look) => {
  for (;;) {
    const seen = look();
    if (seen) return seen;
    await new Promise((next) => setTimeout(next, 50));
  }
};
"""


def find() -> str | None:
    """Where Chromium is; None on a machine without."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Tab:
    """What one page is asked."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Take a connection to a tab."""
        self._socket = socket
        self._numbers = itertools.count(1)

    async def open(self, url: str) -> None:
        """Go to an address."""
        await self._ask("Page.navigate", url=url)

    async def run(self, script: str) -> Any:  # noqa: ANN401 - any JSON value
        """Run the body of an async function in the page, which may use `until`; give what it returns."""
        expression = f"(async () => {{ {UNTIL} {script} }})()"
        found = await self._ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def _ask(self, method: str, **parameters: object) -> Any:  # noqa: ANN401 - as DevTools has it
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(PATIENCE_S):
            while (answer := json.loads((await self._socket.receive()).data)).get("id") != number:
                pass  # An event nobody asked for.
        assert "error" not in answer, answer
        return answer["result"]


@contextlib.asynccontextmanager
async def tab(program: str, folder: Path) -> AsyncIterator[Tab]:
    """Start a browser that keeps what it knows in a folder, and end it afterwards."""
    quiet = asyncio.subprocess.DEVNULL
    options = (*FLAGS, f"--user-data-dir={folder}", "about:blank")
    process = await asyncio.create_subprocess_exec(program, *options, stdout=quiet, stderr=quiet)
    try:
        async with aiohttp.ClientSession() as session, session.ws_connect(await _address(session, folder)) as socket:
            yield Tab(socket)
    finally:
        process.terminate()
        await process.wait()


async def _address(session: aiohttp.ClientSession, folder: Path) -> str:
    """Wait until the browser has written where it listens, and take its tab."""
    written = folder / "DevToolsActivePort"
    async with asyncio.timeout(PATIENCE_S):
        while not (written.exists() and written.read_text()):  # noqa: ASYNC110 - another process writes
            await asyncio.sleep(0.05)
    port = written.read_text().split()[0]
    async with session.put(f"http://127.0.0.1:{port}/json/new?about:blank") as reply:
        return str((await reply.json())["webSocketDebuggerUrl"])
