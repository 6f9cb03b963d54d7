"""The sink for mail: every message a file, whole and in the order of its arrival."""

from pathlib import Path
from typing import cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.native.mail_sink import Folder

MESSAGE = b"To: Dana <dana@example.test>\r\nSubject: Your order\r\n\r\nThank you.\r\n"


async def receive(folder: Folder, *recipients: str) -> str:
    """Hand a message over as the server does, which needs no server for it."""
    envelope = Envelope()
    envelope.content, envelope.rcpt_tos = MESSAGE, list(recipients)
    return await folder.handle_DATA(cast("SMTP", None), cast("Session", None), envelope)


def messages(folder: Path) -> list[Path]:
    """List what was kept, in no order."""
    return list(folder.glob("*.eml"))


async def test_a_message_is_kept_with_whom_it_was_for(tmp_path: Path) -> None:
    """The bytes are the sender's; only the recipients are put in front."""
    assert (await receive(Folder(tmp_path / "mail"), "dana@example.test")).startswith("250 ")
    (kept,) = (tmp_path / "mail").iterdir()
    assert kept.suffix == ".eml"
    assert kept.read_bytes() == b"X-Envelope-To: dana@example.test\r\n" + MESSAGE


async def test_names_tell_the_order_of_arrival(tmp_path: Path) -> None:
    """Whoever looks for the newest sorts by name."""
    folder = Folder(tmp_path)
    for recipient in ("first@example.test", "second@example.test"):
        await receive(folder, recipient)
    assert [b"first@" in file.read_bytes() for file in sorted(messages(tmp_path))] == [True, False]
