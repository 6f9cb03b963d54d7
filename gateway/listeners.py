"""Where the edge listens: http, https and HTTP/3 with the whole API for clients, and its own way to auth's keys."""

from gateway import cache, managers
from gateway.envoy import Json, extension, socket
from gateway.options import Options

BUFFER_BYTES = 1_048_576
TLS_CONTEXT = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
QUIC_CONTEXT = "envoy.extensions.transport_sockets.quic.v3.QuicDownstreamTransport"


def listeners(options: Options) -> list[Json]:
    """Build all listeners. HTTP/3 has the number of https's port, of UDP."""
    ports = options.ports
    return [
        _listener("http", ports.http, options, {"filters": [managers.api(options, "http")]}),
        _listener("https", ports.https, options, {"filters": [managers.api(options, "https")]} | _tls(options)),
        _http3(options),
        cache.listener(managers.transcode(options)),
        _listener("keys", ports.keys, options, {"filters": [managers.keys(options)]}),
    ]


def _listener(name: str, port: int, options: Options, chain: Json) -> Json:
    patience = f"{options.settings.limits.handshake_seconds}s"
    return {
        "name": name,
        "address": socket(options.host, port),
        "filter_chains": [chain | {"transport_socket_connect_timeout": patience}],
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
    }


def _http3(options: Options) -> Json:
    manager = managers.api(options, "http3", codec_type="HTTP3", http3_protocol_options={})
    quic = extension(
        "envoy.transport_sockets.quic",
        QUIC_CONTEXT,
        downstream_tls_context={"common_tls_context": {"tls_certificates": [_pair(options)]}},
    )
    address = socket(options.host, options.ports.https)
    return {
        "name": "http3",
        "address": {"socket_address": {**address["socket_address"], "protocol": "UDP"}},
        "udp_listener_config": {"quic_options": {}, "downstream_socket_config": {"prefer_gro": True}},
        "filter_chains": [{"filters": [manager], "transport_socket": quic}],
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
    }


def _tls(options: Options) -> Json:
    context = {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "tls_certificates": [_pair(options)],
    }
    return {"transport_socket": extension("envoy.transport_sockets.tls", TLS_CONTEXT, common_tls_context=context)}


def _pair(options: Options) -> Json:
    return {
        "certificate_chain": {"filename": str(options.files.certificate)},
        "private_key": {"filename": str(options.files.private_key)},
    }
