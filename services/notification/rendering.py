"""Writes the e-mail of a notification: templates/<name>/ has its subject, and its body as text and as HTML.

Everything in the content came from people. HTML is escaped, no value brings line breaks into a header or into a line of
the text, and templates run in Jinja2's sandbox.
"""

import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from email import policy
from email.headerregistry import Address, HeaderRegistry
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final

import iso4217
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.notification.domain import Notification

TEMPLATES: Final = Path(__file__).parent / "templates"
_NANOS: Final = Decimal(10) ** -9
_LONGEST_NAME: Final = 200


class _Headers(HeaderRegistry):
    """Makes the class of a header once; Python's own makes one for every header of every e-mail."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a class made up at run time
        if name.lower() not in self._made:
            self._made[name.lower()] = super().__getitem__(name)
        return self._made[name.lower()]


_POLICY: Final = policy.default.clone(header_factory=_Headers())


class UnwritableError(Exception):
    """No e-mail can be made of this notification; trying again won't change that."""


class Writer:
    """Writes e-mails in the name of one sender."""

    def __init__(self, sender: str, web_url: str = "", templates: Path = TEMPLATES) -> None:
        """`sender`: an address such as orders@example.org; its domain is in every Message-ID.

        `web_url`: where the pages are that take codes; "" when there are none.
        """
        self._web_url = web_url.rstrip("/")
        self._sender = Address(display_name="Ordermesh", addr_spec=sender)
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

    def write(self, notification: Notification, address: str, name: str, code: str = "") -> EmailMessage:
        """Return the e-mail to a person, with the code it brings. The same notification has the same Message-ID."""
        try:
            return self._write(notification, Address(display_name=one_line(name), addr_spec=address), code)
        except (TemplateError, ValueError, LookupError, TypeError) as fault:
            raise UnwritableError(f"the e-mail can't be written: {fault}") from fault

    def _write(self, notification: Notification, to: Address, code: str) -> EmailMessage:
        # What is behind # is told to no server, and so stands in no log.
        link = f"{self._web_url}/{notification.template}#code={code}" if code and self._web_url else ""
        values = {**notification.content, "name": to.display_name, "code": code, "link": link}
        folder = notification.template.value
        message = EmailMessage(_POLICY)
        message["From"] = self._sender
        message["To"] = to
        message["Subject"] = one_line(self._render(f"{folder}/subject.txt", values))
        message["Date"] = format_datetime(notification.create_time)
        message["Message-ID"] = f"<{notification.id}@{self._sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(self._render(f"{folder}/body.txt", values))
        message.add_alternative(self._render(f"{folder}/body.html", values), subtype="html")
        return message

    def _render(self, template: str, values: Mapping[str, Any]) -> str:
        return self._templates.get_template(template).render(values)


def one_line(value: object) -> str:
    """Return the text without line breaks and other control characters, of bounded length."""
    printable = "".join(" " if unicodedata.category(each).startswith(("C", "Z")) else each for each in str(value))
    return " ".join(printable.split())[:_LONGEST_NAME]


def money(amount: Mapping[str, Any]) -> str:
    """Write an amount with the decimal places of its currency: `1,234.50 EUR`."""
    code = amount["currency_code"]
    places = iso4217.Currency(code).exponent or 0
    return f"{Decimal(amount['units']) + amount['nanos'] * _NANOS:,.{places}f} {code}"
