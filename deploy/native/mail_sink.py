"""A mail server that delivers nothing: it writes each message to a file of a folder, for people and tests to read.

python -m deploy.native.mail_sink --port 1025 --folder .run/mail
"""

import argparse
import asyncio
import signal
import time
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"
LARGEST_MESSAGE = 1_000_000  # bytes


class Folder:
    """Receives messages, as aiosmtpd asks for it."""

    def __init__(self, folder: Path) -> None:
        """The folder is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        """Keep the message, in one step and under a name that sorts by time."""
        name = f"{time.time_ns()}.eml"
        part = self._folder / f".{name}"
        part.write_bytes(_with_recipients(envelope))
        part.replace(self._folder / name)
        print(f"kept {name} for {len(envelope.rcpt_tos)} recipients", flush=True)
        return "250 Message kept"


async def serve(port: int, folder: Path) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    keeper = Folder(folder)
    server = await loop.create_server(lambda: SMTP(keeper, data_size_limit=LARGEST_MESSAGE), HOST, port)
    async with server:
        print(f"listening on {HOST}:{port}", flush=True)
        await stopped.wait()


def _with_recipients(envelope: Envelope) -> bytes:
    """Put whom it was really for in front, which a message itself need not tell."""
    content = envelope.content or b""
    body = content if isinstance(content, bytes) else content.encode()
    return f"X-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n".encode() + body


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser("python -m deploy.native.mail_sink")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.folder))


if __name__ == "__main__":
    main()
