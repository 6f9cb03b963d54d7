"""Replies to public reads, kept for as long as their contract allows (`cache_ttl`) and given to whoever asks next.

What is not there is asked for by way of a listener inside of Envoy, `transcode`: the cache asks past all filters that
come after it, and a reply has to be JSON before it is kept. There it gets its Cache-Control and its ETag as well. Many
who ask for the same at once cause one call. A reply is for everybody, so services are not told who asked first.
See docs/adr/0012-edge-cache.md for how fresh it is.
"""

from gateway.envoy import HTTP_FILTERS, HTTP_OPTIONS, Json, extension, lua, switched_on, typed
from gateway.options import Options
from mesh.contract import MethodPolicy

TRANSCODE = "transcode"
FILTER = "envoy.filters.http.cache_v2"
LUA = "envoy.filters.http.lua.validators"
MAX_AGE = "max_age"
STORE = "envoy.extensions.http.cache_v2.file_system_http_cache.v3.FileSystemHttpCacheV2Config"
INTERNAL = "envoy.extensions.bootstrap.internal_listener.v3.InternalListener"
THREADS = 1

# Two polynomials over the body, modulo the largest primes below 2^31: exact in Lua's numbers, and weak (RFC 9110,
# section 8.8.1), since the reply may be packed on its way.
VALIDATOR = """
function envoy_on_response(handle)
  local max_age = handle:metadata():get("max_age")
  if max_age == nil or handle:headers():get(":status") ~= "200" then return end
  local body = handle:body()
  local bytes = body and body:getBytes(0, body:length()) or ""
  local one, two = 1, 2
  for position = 1, #bytes do
    local byte = bytes:byte(position)
    one = (one * 1000003 + byte) % 2147483647
    two = (two * 999983 + byte) % 2147483629
  end
  handle:headers():replace("etag", string.format('W/"%08x%08x"', one, two))
  handle:headers():replace("cache-control", string.format("public, max-age=%d", max_age))
end
"""


def cache_filter(options: Options) -> Json:
    """Keep replies of the routes that ask for it. A client cannot make the edge ask anew."""
    settings = options.settings.cache
    store = typed(
        STORE,
        manager_config={"thread_pool": {"thread_count": THREADS}},
        cache_path=str(options.files.cache),
        max_cache_size_bytes=settings.max_bytes,
        max_cache_entry_count=settings.max_entries,
        max_individual_cache_entry_size_bytes=settings.max_entry_bytes,
    )
    config = typed(
        f"{HTTP_FILTERS}cache_v2.v3.CacheV2Config",
        typed_config=store,
        override_upstream_cluster=TRANSCODE,
        ignore_request_cache_control_header=True,
    )
    return {"name": FILTER, "typed_config": config, "disabled": True}


def validators() -> Json:
    """Mark replies that may be kept."""
    return lua(LUA, VALIDATOR)


def keeps(method: MethodPolicy, options: Options) -> bool:
    """Tell whether replies of a method are kept."""
    return options.settings.cache.enabled and method.cache_ttl is not None


def kept() -> Json:
    """Give the filter settings of a REST route whose replies are kept."""
    return switched_on(FILTER)


def metadata(method: MethodPolicy) -> Json:
    """Write onto a route for how many seconds its replies are kept."""
    return {LUA: {MAX_AGE: int(method.cache_ttl.total_seconds())}} if method.cache_ttl else {}


def cluster() -> Json:
    """Lead to the listener inside."""
    address = {"envoy_internal_address": {"server_listener_name": TRANSCODE}}
    return {
        "name": TRANSCODE,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": TRANSCODE,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "typed_extension_protocol_options": {
            HTTP_OPTIONS: typed(HTTP_OPTIONS, explicit_http_config={"http2_protocol_options": {}})
        },
    }


def listener(manager: Json) -> Json:
    """Listen inside."""
    return {"name": TRANSCODE, "internal_listener": {}, "filter_chains": [{"filters": [manager]}]}


def bootstrap_extension() -> Json:
    """Allow for listeners inside."""
    return extension("envoy.bootstrap.internal_listener", INTERNAL)
