"""An e-mail as bytes (RFC 5322, MIME), with what its envelope says (RFC 5321).

Python's email.message reads every header back into its grammar while it writes, which took more CPU than all else that
a notification needs. What is written here is small: five headers and two texts.
"""

import binascii
import re
from dataclasses import dataclass, field
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, formataddr
from typing import Final

_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
"""What HTML calls a valid e-mail address, as the contracts do; there is no need to quote any of it."""

_LONGEST_LINE: Final = 998
_BOUNDARY_MARK: Final = "=_"
"""Never a part of quoted-printable text (RFC 2045, 6.7), so that no boundary with it is found in one."""


@dataclass(frozen=True, slots=True)
class Letter:
    """From whom to whom, and what the mail server is given."""

    sender: str
    recipient: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Somebody's address, and the name to show with it."""

    address: str
    name: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for what is no address."""
        if not _ADDRESS.fullmatch(self.address):
            message = f"{self.address!r} is no e-mail address"
            raise ValueError(message)

    @property
    def domain(self) -> str:
        """The part after the @."""
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Texts:
    """What it says; `subject` is one line. `plain` and `html` say the same."""

    subject: str
    plain: str
    html: str


def write(sender: Mailbox, to: Mailbox, texts: Texts, *, identity: str, time: datetime) -> Letter:
    """Write the e-mail. `identity` is the same whenever the same is sent again, as in the Message-ID."""
    boundary = f"{_BOUNDARY_MARK}{identity}"
    headers = (
        ("From", formataddr((sender.name, sender.address))),
        ("To", formataddr((to.name, to.address))),
        ("Subject", _encoded(texts.subject)),
        ("Date", format_datetime(time)),
        ("Message-ID", f"<{identity}@{sender.domain}>"),
        ("Auto-Submitted", "auto-generated"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/alternative; boundary="{boundary}"'),
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    parts = (_part("plain", texts.plain), _part("html", texts.html))
    body = b"".join(b"\r\n--%b\r\n%b" % (boundary.encode(), part) for part in parts)
    return Letter(sender.address, to.address, b"%b%b\r\n--%b--\r\n" % (head.encode("ascii"), body, boundary.encode()))


def _encoded(text: str) -> str:
    """Leave ASCII as it is; else encoded words (RFC 2047), in lines that are short enough."""
    return text if text.isascii() else Header(text, "utf-8", header_name="Subject").encode(linesep="\r\n")


def _part(kind: str, text: str) -> bytes:
    lines = text.splitlines()
    content = "\r\n".join(lines) + "\r\n"
    if text.isascii() and _BOUNDARY_MARK not in text and max(map(len, lines), default=0) <= _LONGEST_LINE:
        encoding, encoded = "7bit", content.encode("ascii")
    else:
        encoding, encoded = "quoted-printable", binascii.b2a_qp(content.encode())
    head = f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode("ascii") + encoded
