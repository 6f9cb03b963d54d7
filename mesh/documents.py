"""Documents that people keep in Consul's KV: ProtoJSON, held to the rules of a contract like any request."""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

from mesh import errors
from mesh.validation import validate

POLICY, SETTINGS = "ordermesh/policy/", "ordermesh/settings/"
"""The folders of `ordermesh.mesh.v1.TrafficPolicy` and `ServiceSettings`; a document has the name of its service."""

M = TypeVar("M", bound=Message)


def read(kind: type[M], document: bytes) -> M:
    """Read a document. Raises InvalidArgument that names the field and the reason; unknown fields are refused."""
    try:
        text = document.decode()
        if not isinstance(json.loads(text), dict):
            raise errors.InvalidArgument("the document must be a JSON object", reason="INVALID_DOCUMENT")
        message = json_format.Parse(text, kind())
    except (json_format.ParseError, ValueError, RecursionError) as failure:
        reason = " ".join(str(failure).split())
        raise errors.InvalidArgument(f"no {kind.__name__}: {reason}", reason="INVALID_DOCUMENT") from failure
    validate(message)
    return message


def complaint(refusal: errors.Error) -> str:
    """Say everything that is wrong with a document in one line."""
    found = [f"{each.field}: {each.description}" if each.field else each.description for each in refusal.violations]
    return "; ".join(found) or refusal.message


def contents(entries: Iterable[Mapping[str, Any]], folder: str) -> dict[str, bytes]:
    """Give the documents in an answer of /v1/kv, by their names in the folder."""
    named = ((each["Key"].removeprefix(folder), each["Value"]) for each in entries)
    return {name: base64.b64decode(value or "") for name, value in named if name}
