"""What OAuth 2 clients send and are answered: forms, credentials and errors in the words of RFC 6749."""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

MEDIA_TYPE = "application/x-www-form-urlencoded"
MOST_FIELDS = 50
Json = dict[str, Any]


class OAuthError(Exception):
    """An error of RFC 6749, section 5.2: its code, a sentence, and the HTTP status."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.status = status

    @property
    def body(self) -> Json:
        """The reply."""
        return {"error": self.code, "error_description": self.description}


class InvalidClient(OAuthError):
    """The client did not prove who it is; which part was wrong is nobody's business."""

    def __init__(self, description: str = "client_id or client_secret is wrong") -> None:
        super().__init__("invalid_client", description, 401)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who a client says it is, and its proof."""

    client_id: str
    client_secret: str = field(repr=False)


class Form:
    """The fields of a request; those without a value are as good as absent (RFC 6749, section 3.2)."""

    def __init__(self, media_type: str, body: bytes) -> None:
        """Read it. Raises OAuthError for what is no form, and for a field that is there twice."""
        if media_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
            raise OAuthError("invalid_request", f"send a form, as {MEDIA_TYPE}")
        try:
            pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
        except ValueError:
            raise OAuthError("invalid_request", "the form can't be read") from None
        self._fields = dict(pairs)
        if len(self._fields) != len(pairs):
            raise OAuthError("invalid_request", "a field is there twice")
        if any("\0" in text for pair in pairs for text in pair):
            raise OAuthError("invalid_request", "a field holds the character NUL")

    def get(self, name: str) -> str:
        """Give a field; "" when it is absent."""
        return self._fields.get(name, "")

    def need(self, name: str) -> str:
        """Give a field that must be there. Raises OAuthError."""
        if not self.get(name):
            raise OAuthError("invalid_request", f"{name} is missing")
        return self.get(name)

    def credentials(self, authorization: str) -> Credentials | None:
        """Give the client's credentials, from the header or the form but never both (RFC 6749, section 2.3).

        None when there are none, or only the name of a client. Raises OAuthError.
        """
        posted = self.get("client_secret")
        if not authorization:
            return Credentials(self.need("client_id"), posted) if posted else None
        if posted:
            raise OAuthError("invalid_request", "send the credentials in the header or in the form, not in both")
        found = _basic(authorization)
        if self.get("client_id") not in {"", found.client_id}:
            raise OAuthError("invalid_request", "client_id is another in the form than in the header")
        return found


def _basic(authorization: str) -> Credentials:
    """Read HTTP Basic; both halves are form-encoded (RFC 6749, section 2.3.1)."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient("prove who you are by HTTP Basic, or by client_id and client_secret in the form")
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidClient("the header Authorization can't be read") from None
    if not colon or "\0" in client_id + secret:
        raise InvalidClient("the header Authorization can't be read")
    return Credentials(unquote_plus(client_id), unquote_plus(secret))
