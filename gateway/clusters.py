"""What the edge knows from the start: the control plane, which tells it all the others, and its own way to the keys."""

from gateway import cache, shared_rates
from gateway.envoy import HTTP_OPTIONS, Json, extension, socket, typed
from gateway.options import Options
from gateway.tokens import KEYS_CLUSTER
from mesh import sds

CONTROL_PLANE = "control-plane"
# A replica that is gone without a word is noticed after this.
KEEPALIVE = {"interval": "10s", "timeout": "3s"}
# Envoy as a client stops at TLS 1.2 unless told otherwise.
TLS = {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"}
UPSTREAM_TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"


def clusters(options: Options) -> list[Json]:
    """Build the static clusters. Those of the keys and of the cache lead to listeners of Envoy's own."""
    http2 = {"explicit_http_config": {"http2_protocol_options": {"connection_keepalive": KEEPALIVE}}}
    grpc = {"typed_extension_protocol_options": {HTTP_OPTIONS: typed(HTTP_OPTIONS, **http2)}}
    shared = [] if options.shared_rates is None else [(shared_rates.CLUSTER, (options.shared_rates,))]
    return [
        _cluster(CONTROL_PLANE, options.control_plane, options) | grpc | {"transport_socket": _mutual_tls(options)},
        *(_cluster(name, ports, options) | grpc for name, ports in shared),
        _cluster(KEYS_CLUSTER, (options.ports.keys,), options),
        cache.cluster(),
    ]


def _cluster(name: str, ports: tuple[int, ...], options: Options) -> Json:
    endpoints = [{"endpoint": {"address": socket(options.host, port)}} for port in ports]
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
    }


def _mutual_tls(options: Options) -> Json:
    """Be the edge, and accept a control plane alone. The trust domain is made by Consul, so only it knows the name."""
    matcher = {"san_type": "URI", "matcher": {"suffix": f"/svc/{CONTROL_PLANE}"}}
    validation = {
        "default_validation_context": {"match_typed_subject_alt_names": [matcher]},
        "validation_context_sds_secret_config": _secret(sds.AUTHORITIES, options),
    }
    context = {
        "alpn_protocols": ["h2"],
        "tls_params": TLS,
        "tls_certificate_sds_secret_configs": [_secret(sds.CERTIFICATE, options)],
        "combined_validation_context": validation,
    }
    return extension("envoy.transport_sockets.tls", UPSTREAM_TLS, common_tls_context=context)


def _secret(name: str, options: Options) -> Json:
    path = str(sds.file_of(options.files.folder, name))
    return {"name": name, "sds_config": {"path_config_source": {"path": path}, "resource_api_version": "V3"}}
