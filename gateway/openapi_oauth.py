"""What the description of the API says of the OAuth 2 endpoints, which speak forms and have errors of their own."""

from gateway.envoy import Json

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
CLIENT = "clientSecret"
SCHEME: Json = {
    "type": "http",
    "scheme": "basic",
    "description": "A service account: its id and one of its secrets. Both may be in the form instead.",
}
_TEXT: Json = {"type": "string"}
_CREDENTIALS: Json = {"client_id": _TEXT, "client_secret": {"type": "string", "format": "password"}}
_TOKEN: Json = {"type": "string", "description": "An access token, or a refresh token where it makes sense."}
# Of each method: the fields of the form, which are needed, and the fields of the reply that are always there.
FORMS: dict[str, tuple[Json, list[str], Json, list[str]]] = {
    "Token": (
        {
            "grant_type": {"type": "string", "enum": ["client_credentials", "refresh_token"]},
            "scope": {"type": "string", "description": "Permissions, spaces between; all of the account's if absent."},
            "refresh_token": _TEXT,
        },
        ["grant_type"],
        {
            "access_token": _TEXT,
            "token_type": _TEXT,
            "expires_in": {"type": "integer", "description": "Seconds."},
            "scope": _TEXT,
            "refresh_token": _TEXT,
        },
        ["access_token", "token_type", "expires_in", "scope"],
    ),
    "Revoke": ({"token": _TOKEN, "token_type_hint": _TEXT}, ["token"], {}, []),
    "Introspect": (
        {"token": _TOKEN, "token_type_hint": _TEXT},
        ["token"],
        {"active": {"type": "boolean"}, "scope": _TEXT, "client_id": _TEXT, "sub": _TEXT, "exp": {"type": "integer"}},
        ["active"],
    ),
}
EXAMPLES: dict[str, Json] = {
    "Token": {"grant_type": "client_credentials"},
    "Revoke": {"token": "eyJ…"},
    "Introspect": {"token": "eyJ…"},
}
REPLIES: dict[str, Json] = {
    "Token": {
        "access_token": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ3YXJlaG91c2UifQ.c2lnbmF0dXJl",
        "token_type": "Bearer",
        "expires_in": 900,
        "scope": "inventory.read orders.ship",
    },
    "Introspect": {"active": True, "scope": "inventory.read orders.ship", "client_id": "warehouse", "exp": 1777637700},
}
_ERROR: Json = {
    "type": "object",
    "description": "An error of RFC 6749, section 5.2.",
    "properties": {"error": {"type": "string", "example": "invalid_client"}, "error_description": _TEXT},
    "required": ["error"],
}


def rewrite(operation: Json, method: str) -> None:
    """Describe the form, the reply and the errors of an endpoint."""
    fields, needed, told, always = FORMS[method]
    form = {"type": "object", "properties": fields | _CREDENTIALS, "required": needed}
    operation["requestBody"] = {"required": True, "content": {FORM: {"schema": form, "example": EXAMPLES[method]}}}
    reply = {"type": "object", "properties": told, "additionalProperties": True, "required": always}
    if not always:
        del reply["required"]
    example = {"example": REPLIES[method]} if method in REPLIES else {}
    operation["security"] = [{CLIENT: []}, {}]
    operation["responses"] = {
        "200": {"description": "Done.", "content": {JSON: {"schema": reply} | example}},
        "400": _error("The request is wrong, or the grant or the scope is."),
        "401": _error("The client did not prove who it is."),
        "default": _error("Refused on the way."),
    }


def _error(description: str) -> Json:
    return {"description": description, "content": {JSON: {"schema": _ERROR}}}
