"""Writes the e-mail of a notification: templates/<name>/ has its subject, and its body as text and as HTML.

Everything in the content came from people. HTML is escaped, no value brings line breaks into a header or into a line of
the text, and templates run in Jinja2's sandbox.
"""

import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import iso4217
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.notification import letters
from services.notification.domain import Notification
from services.notification.letters import Letter, Mailbox, Texts

TEMPLATES: Final = Path(__file__).parent / "templates"
_NANOS: Final = Decimal(10) ** -9
_LONGEST_NAME: Final = 200


class UnwritableError(Exception):
    """No e-mail can be made of this notification; trying again won't change that."""


class Writer:
    """Writes e-mails in the name of one sender."""

    def __init__(self, sender: str, web_url: str = "", templates: Path = TEMPLATES) -> None:
        """`sender`: an address such as orders@example.org; its domain is in every Message-ID.

        `web_url`: where the pages are that take codes; "" when there are none.
        """
        self._web_url = web_url.rstrip("/")
        self._sender = Mailbox(sender, "Ordermesh")
        self._templates = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(templates),
            autoescape=lambda name: name is not None and name.endswith(".html"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,
        )
        self._templates.filters.update(line=one_line, money=money)

    def write(self, notification: Notification, address: str, name: str, code: str = "") -> Letter:
        """Return the e-mail to a person, with the code it brings. The same notification has the same Message-ID."""
        try:
            return self._write(notification, Mailbox(address, one_line(name)), code)
        except (TemplateError, ValueError, LookupError, TypeError) as fault:
            raise UnwritableError(f"the e-mail can't be written: {fault}") from fault

    def _write(self, notification: Notification, to: Mailbox, code: str) -> Letter:
        # What is behind # is told to no server, and so stands in no log.
        link = f"{self._web_url}/{notification.template}#code={code}" if code and self._web_url else ""
        values = {**notification.content, "name": to.name, "code": code, "link": link}
        folder = notification.template.value
        texts = Texts(
            subject=one_line(self._render(f"{folder}/subject.txt", values)),
            plain=self._render(f"{folder}/body.txt", values),
            html=self._render(f"{folder}/body.html", values),
        )
        return letters.write(self._sender, to, texts, identity=notification.id, time=notification.create_time)

    def _render(self, template: str, values: Mapping[str, Any]) -> str:
        return self._templates.get_template(template).render(values)


def one_line(value: object) -> str:
    """Return the text without line breaks and other control characters, of bounded length."""
    text = str(value)
    if not text.isprintable():
        text = "".join(" " if unicodedata.category(each).startswith(("C", "Z")) else each for each in text)
    return " ".join(text.split())[:_LONGEST_NAME]


def money(amount: Mapping[str, Any]) -> str:
    """Write an amount with the decimal places of its currency: `1,234.50 EUR`."""
    code = amount["currency_code"]
    places = iso4217.Currency(code).exponent or 0
    return f"{Decimal(amount['units']) + amount['nanos'] * _NANOS:,.{places}f} {code}"
