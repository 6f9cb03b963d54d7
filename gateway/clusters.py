"""What the edge knows from the start: the control plane, which tells it all the others, and its own way to the keys."""

from gateway.envoy import HTTP_OPTIONS, Json, socket, typed
from gateway.options import Options
from gateway.tokens import KEYS_CLUSTER

CONTROL_PLANE = "control-plane"
# A replica that is gone without a word is noticed after this.
KEEPALIVE = {"interval": "10s", "timeout": "3s"}


def clusters(options: Options) -> list[Json]:
    """Build the static clusters."""
    http2 = {"explicit_http_config": {"http2_protocol_options": {"connection_keepalive": KEEPALIVE}}}
    return [
        _cluster(CONTROL_PLANE, options.control_plane, options)
        | {"typed_extension_protocol_options": {HTTP_OPTIONS: typed(HTTP_OPTIONS, **http2)}},
        _cluster(KEYS_CLUSTER, (options.ports.keys,), options),
    ]


def _cluster(name: str, ports: tuple[int, ...], options: Options) -> Json:
    endpoints = [{"endpoint": {"address": socket(options.host, port)}} for port in ports]
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
    }
