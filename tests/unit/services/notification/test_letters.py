"""E-mails as bytes: whoever reads them finds what was written, whatever that was."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notification.letters import Letter, Mailbox, Texts, write
from services.notification.rendering import one_line

SHOP = Mailbox("orders@ordermesh.test", "Ordermesh")
EVE = Mailbox("eve@example.test", "Eve")
TIME = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
LINES = st.lists(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")))).map("\n".join)


def a_letter(to: Mailbox = EVE, subject: str = "Hello", plain: str = "Hi\n", html: str = "<p>Hi</p>\n") -> Letter:
    """Write one."""
    return write(SHOP, to, Texts(subject, plain, html), identity="0198", time=TIME)


def read(letter: Letter) -> EmailMessage:
    """Read it as a mail program does."""
    message = message_from_bytes(letter.content, policy=default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def body(message: EmailMessage, kind: str) -> str:
    """Return one of the two bodies."""
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_headers_say_from_whom_to_whom_when_and_which() -> None:
    """And that no person wrote it."""
    message = read(a_letter())
    assert message["From"] == "Ordermesh <orders@ordermesh.test>"
    assert message["To"] == "Eve <eve@example.test>"
    assert parsedate_to_datetime(message["Date"]) == TIME
    assert message["Message-ID"] == "<0198@ordermesh.test>"
    assert message["Auto-Submitted"] == "auto-generated"


@given(plain=LINES, html=LINES)
def test_both_bodies_read_as_they_were_written(plain: str, html: str) -> None:
    """Any characters, lines of any length, and what looks like a boundary or like the end of SMTP's data."""
    message = read(a_letter(plain=f"{plain}\n--=_0198--\n.\n", html=html))
    assert body(message, "plain").split("\n") == [*plain.split("\n"), "--=_0198--", ".", ""]
    assert body(message, "html").rstrip("\n") == html.rstrip("\n")


@given(st.text().map(one_line), st.text().map(one_line))
def test_subject_and_name_read_as_they_were_written(subject: str, name: str) -> None:
    """Any characters; such a text is one line."""
    message = read(a_letter(Mailbox("eve@example.test", name), subject))
    assert message["Subject"].split() == subject.split()
    (to,) = message["To"].addresses
    assert (to.display_name, to.addr_spec) == (name, "eve@example.test")


@given(st.text().map(one_line), st.text(max_size=2000))
def test_every_line_ends_and_is_as_long_as_a_mail_server_takes_it(subject: str, text: str) -> None:
    """At most 998 bytes of ASCII and a line break of both characters (RFC 5321, 4.5.3.1.6)."""
    content = a_letter(Mailbox("eve@example.test", subject), subject, text, text).content
    assert content.isascii()
    assert content.endswith(b"\r\n")
    lines = content.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\n" in line or b"\r" in line for line in lines)


@pytest.mark.parametrize(
    "address", ["eve", "", "a@b, c@d", "eve@example.test\r\nBcc: x@y.test", "ev\u00e9@example.test"]
)
def test_what_is_no_address_gets_no_letter(address: str) -> None:
    """Nobody can be written to there."""
    with pytest.raises(ValueError, match="no e-mail address"):
        Mailbox(address)
