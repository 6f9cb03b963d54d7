"""Reads on condition: the ETag of a reply, and 304 for who has it already (RFC 9110, sections 8.8.3 and 13.1.2).

The tag of what the edge keeps is made of its content (cache.py): a product may be shown with its stock, which has no
part in its `etag`. Any other thing has that for its tag, in quotes, so that it can be sent as `If-Match` as it came.
"""

from gateway import cache
from gateway.envoy import Json, lua, switched_on
from gateway.options import Options
from gateway.schemas import Messages
from mesh.contract import HttpBinding, MethodPolicy

CONDITION = "envoy.filters.http.lua.condition"
TAG = "envoy.filters.http.lua.tag"
FIELD = "etag"
# What is packed loses its strong tag at the compressor. Nobody asks for parts of a reply, so one tag does for all forms
# of it, and passes the compressor under this name.
PASSING = "x-ordermesh-etag"

# The service, and the cache, which would pass such a request on, see it without the condition. Quotes end a tag, so it
# is found whole.
CONDITION_SCRIPT = """
function envoy_on_request(handle)
  local tags = handle:headers():get("if-none-match")
  if tags == nil then return end
  handle:headers():remove("if-none-match")
  handle:streamInfo():dynamicMetadata():set("ordermesh.condition", "tags", tags)
end

function envoy_on_response(handle)
  local condition = handle:streamInfo():dynamicMetadata():get("ordermesh.condition")
  local headers = handle:headers()
  local etag = headers:get("etag")
  if condition == nil or etag == nil or headers:get(":status") ~= "200" then return end
  local opaque = etag:gsub("^W/", "")
  if condition.tags ~= "*" and not condition.tags:find(opaque, 1, true) then return end
  headers:replace(":status", "304")
  headers:remove("content-length")
  headers:remove("content-type")
  local body = handle:body()
  if body then body:setBytes("") end
end
"""

# A quote inside of a string is escaped, so this is a name; what is inside of a message with a tag has none of its own.
TAG_SCRIPT = f"""
function envoy_on_response(handle)
  if handle:headers():get(":status") ~= "200" then return end
  local body = handle:body()
  local tag = body and body:getBytes(0, body:length()):match('"{FIELD}":("[%w._-]+")')
  if tag == nil then return end
  handle:headers():replace("etag", tag)
  handle:headers():replace("{PASSING}", tag)
end
"""


def condition_filters() -> tuple[Json, Json]:
    """Tag replies, and answer 304 to who has one already, on the routes that ask for it."""
    return lua(CONDITION, CONDITION_SCRIPT, disabled=True), lua(TAG, TAG_SCRIPT, disabled=True)


def conditional(route: Json, method: MethodPolicy, binding: HttpBinding, options: Options) -> Json:
    """Let a REST route that reads one thing with a tag take a condition."""
    tagged = binding.verb == "GET" and method.cache_ttl is None and has_tag(method, options.messages)
    if not (tagged or cache.keeps(method, options)):
        return route
    filters = route["typed_per_filter_config"] | switched_on(*((CONDITION, TAG) if tagged else (CONDITION,)))
    return route | {"typed_per_filter_config": filters}


def has_tag(method: MethodPolicy, messages: Messages) -> bool:
    """Tell whether a method answers with one thing that has a tag."""
    return not method.server_streaming and FIELD in messages.reply_of(method.full_name).fields_by_name
