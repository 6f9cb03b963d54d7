"""What is special about the routes of OAuth 2: methods see the client's credentials, and reply as RFC 6749 says."""

from pathlib import Path

from gateway.envoy import HTTP_FILTERS, Json, header, typed
from gateway.problems import FILTER
from mesh import headers
from mesh.contract import MethodPolicy

SCRIPT = Path(__file__).with_name("oauth.lua")


def adapted(route: Json, method: MethodPolicy) -> Json:
    """Give the REST route of an endpoint of OAuth 2 what it has more, and another script than that of problems."""
    if not method.oauth_endpoint:
        return route
    script = typed(f"{HTTP_FILTERS}lua.v3.LuaPerRoute", source_code={"inline_string": SCRIPT.read_text()})
    return route | {
        # Only the edge can send this header; the original stays here.
        "request_headers_to_add": [header(headers.AUTHORIZATION, "%REQ(AUTHORIZATION)%")],
        "typed_per_filter_config": route["typed_per_filter_config"] | {FILTER: script},
    }
