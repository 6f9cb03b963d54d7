"""Handing e-mails to a mail server (RFC 5321)."""

import aiosmtplib

from mesh.telemetry import get_logger
from services.notification.delivery import RefusedError, UnreachableError
from services.notification.letters import Letter

_log = get_logger(__name__)

_PERMANENT = 500
_CLOSING = 421


class MailServer:
    """A mail server as a delivery.Mailer. Connections are kept for the next e-mails, one e-mail at a time on each."""

    def __init__(self, host: str, port: int, timeout_seconds: float) -> None:
        """Nothing is connected yet."""
        self._host = host
        self._port = port
        self._timeout = timeout_seconds
        self._idle: list[aiosmtplib.SMTP] = []

    async def send(self, letter: Letter) -> str:
        """Return what the server said when it took the message. Raises RefusedError and UnreachableError."""
        try:
            return await self._send(letter)
        except aiosmtplib.SMTPRecipientsRefused as refused:
            raise _error(refused.recipients[0].code, refused.recipients[0].message) from refused
        except aiosmtplib.SMTPResponseException as refused:
            raise _error(refused.code, refused.message) from refused
        except (aiosmtplib.SMTPException, OSError) as fault:
            # Customers may read what this says, so it names no host.
            _log.warning("the mail server can't be reached", host=self._host, port=self._port, error=str(fault))
            raise UnreachableError("the mail server can't be reached") from fault
        except ValueError as fault:
            raise RefusedError(f"the message can't be sent: {fault}") from fault

    async def _send(self, letter: Letter) -> str:
        # That a server ended a connection which it found too old says nothing of this message.
        while self._idle:
            try:
                return await self._send_by(self._idle.pop(), letter)
            except aiosmtplib.SMTPServerDisconnected:
                continue
            except aiosmtplib.SMTPResponseException as refused:
                if refused.code != _CLOSING:
                    raise
        client = aiosmtplib.SMTP(hostname=self._host, port=self._port, timeout=self._timeout, start_tls=False)
        await client.connect()
        return await self._send_by(client, letter)

    async def _send_by(self, client: aiosmtplib.SMTP, letter: Letter) -> str:
        try:
            _, reply = await client.sendmail(letter.sender, letter.recipient, letter.content)
        except BaseException:
            # Where the conversation stands is not known, or not worth knowing.
            client.close()
            raise
        self._idle.append(client)
        return reply


def _error(code: int, reply: str) -> RefusedError | UnreachableError:
    kind = RefusedError if code >= _PERMANENT else UnreachableError
    return kind(f"the mail server said {code} {reply}")
