"""How a stream over REST ends: one that fails, with an event that says so (events.lua).

Envoy's transcoder passes on the trailers that hold the failure, which clients of REST never see, and Lua cannot write
after the last event. The filter of gRPC-Web can: it writes the trailers behind the body. So on these routes alone it
stands before the transcoder, between two scripts that make it believe in gRPC-Web, and the outer one makes an event of
what it wrote.
"""

from pathlib import Path

from google.rpc import code_pb2

from gateway.envoy import HTTP_FILTERS, Json, lua, switched_on, typed
from gateway.problems import CODES
from gateway.reasons import HTTP
from mesh.contract import MethodPolicy

SCRIPT = Path(__file__).with_name("events.lua")
OUTER = "envoy.filters.http.lua.events"
TRAILERS = "envoy.filters.http.grpc_web.events"
INNER = "envoy.filters.http.lua.events_inner"

# The transcoder would pass gRPC on as it is; and what gRPC-Web takes for no gRPC it wants whole.
BELIEVED = """
function envoy_on_request(handle)
  handle:headers():remove("content-type")
end

function envoy_on_response(handle)
  local headers, said = handle:headers(), handle:streamInfo():dynamicMetadata()
  said:set("ordermesh.events", "status", headers:get(":status"))
  said:set("ordermesh.events", "type", headers:get("content-type") or "")
  headers:replace(":status", "200")
  headers:replace("content-type", "application/grpc")
end
"""


def event_filters() -> tuple[Json, ...]:
    """Tell failures, on the routes that ask for it."""
    statuses = ", ".join(f"[{number}] = {HTTP[name]}" for name, number in code_pb2.Code.items() if name in HTTP)
    constants = f"{CODES}local STATUSES = {{ {statuses} }}\n"
    return (
        lua(OUTER, constants + SCRIPT.read_text(encoding="utf-8"), disabled=True),
        {"name": TRAILERS, "typed_config": typed(f"{HTTP_FILTERS}grpc_web.v3.GrpcWeb"), "disabled": True},
        lua(INNER, BELIEVED, disabled=True),
    )


def told(route: Json, method: MethodPolicy) -> Json:
    """Have a REST route tell how its stream ends, where it has one."""
    if not method.server_streaming:
        return route
    filters = route["typed_per_filter_config"] | switched_on(OUTER, TRAILERS, INNER)
    return route | {"typed_per_filter_config": filters}
