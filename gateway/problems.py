"""The one shape of all errors over REST: the members of a problem (RFC 9457), then those of a google.rpc.Status.

A problem may have members of its own, and google.rpc.Status is one that clients ignore what they don't know of, so one
body is both. `reason` decides what happened; `type` and `title` are made from it, so that they never disagree.
"""

from pathlib import Path

from google.rpc import code_pb2

from gateway.envoy import Json, lua

MEDIA_TYPE = "application/problem+json"
FILTER = "envoy.filters.http.lua"
SCRIPT = Path(__file__).with_name("problems.lua")
# A reference to the API page, which says more about each reason.
TYPE_PREFIX = "/docs#"

_NAMES = ", ".join(f'[{number}] = "{name}"' for name, number in code_pb2.Code.items())
CODES = f"local CODES = {{ {_NAMES} }}\n"
"""What scripts begin with: the names of google.rpc.Code by their numbers."""


def members(reason: str, status: int | str, detail: str) -> Json:
    """Give the members that a problem has beside those of its status."""
    return {
        "type": f"{TYPE_PREFIX}{reason}",
        "title": title(reason),
        "status": status,
        "detail": detail,
        "reason": reason,
    }


def title(reason: str) -> str:
    """Say a reason in words: `Order not found`."""
    return reason.replace("_", " ").capitalize()


def problem_filter() -> Json:
    """Rewrite the errors of services, behind the transcoder on their way out."""
    return lua(FILTER, CODES + SCRIPT.read_text(encoding="utf-8"))
