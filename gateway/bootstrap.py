"""The whole of what Envoy is started with."""

from gateway import cache, overload
from gateway.clusters import CONTROL_PLANE, clusters
from gateway.envoy import Json, socket
from gateway.listeners import listeners
from gateway.options import Options
from gateway.virtual_host import route_configuration
from mesh.headers import EDGE

# Envoy opens its listeners once it knows its clusters, or after this: it answers 503 rather than nothing.
PATIENCE = "3s"
# How soon the control plane is asked again when it isn't there. Envoy's own way ends with up to 30 s between attempts.
BACK_OFF = {"base_interval": "0.2s", "max_interval": "2s"}
# What may be asked of Envoy's administration. Not its configuration, no key, and no change of it.
ADMIN_PATHS = [{"exact": path} for path in ("/ready", "/clusters", "/certs", "/server_info")] + [{"prefix": "/stats"}]


def render(options: Options) -> Json:
    """Build Envoy's bootstrap; the JSON of envoy.config.bootstrap.v3.Bootstrap. Reads no file."""
    return {
        "node": _node(options),
        "admin": {"address": socket(options.host, options.ports.admin), "allow_paths": ADMIN_PATHS},
        "static_resources": {"listeners": listeners(options), "clusters": clusters(options)},
        "dynamic_resources": {"ads_config": _control_plane(), "cds_config": _from_control_plane()},
        "overload_manager": overload.manager(options),
        "bootstrap_extensions": [cache.bootstrap_extension()],
    }


def render_routes(options: Options) -> Json:
    """Build what Envoy reads the routes from; the JSON of envoy.service.discovery.v3.DiscoveryResponse."""
    return {"resources": [route_configuration(options)]}


def _node(options: Options) -> Json:
    locality = {"region": options.region, "zone": options.zone}
    return {"id": f"{EDGE}-{options.ports.http}", "cluster": EDGE, "locality": locality}


def _control_plane() -> Json:
    asked = {"cluster_name": CONTROL_PLANE, "retry_policy": {"retry_back_off": BACK_OFF}}
    return {"api_type": "GRPC", "transport_api_version": "V3", "grpc_services": [{"envoy_grpc": asked}]}


def _from_control_plane() -> Json:
    return {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": PATIENCE}
