"""Mutual TLS to a service, in the words of each kind of client: whom to be, whom to trust, and who must answer.

gRPC takes certificates from the provider that its bootstrap names; Envoy from files, and refuses gRPC's words.
"""

from dataclasses import dataclass
from pathlib import Path

from envoy.config.core.v3 import base_pb2, config_source_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2, tls_pb2
from envoy.type.matcher.v3 import string_pb2

from mesh import sds
from mesh.spiffe import TrustDomain

PROVIDER = "mesh"
"""What the bootstrap of our gRPC clients calls its certificates."""

TLS_SOCKET = "envoy.transport_sockets.tls"


@dataclass(frozen=True, slots=True)
class Identities:
    """Who is who: everybody is in one domain, and the edge's Envoy finds `mesh.sds`'s two files in a folder."""

    domain: TrustDomain
    edge: Path


def for_grpc(service: str, identities: Identities) -> base_pb2.TransportSocket:
    """Let gRPC accept the service of this name alone. Without a matcher it would accept any of the domain."""
    validation = common_pb2.CertificateValidationContext(
        ca_certificate_provider_instance=_provider(), match_subject_alt_names=[_exactly(service, identities)]
    )
    context = tls_pb2.CommonTlsContext(tls_certificate_provider_instance=_provider(), validation_context=validation)
    return _socket(context)


def for_envoy(service: str, identities: Identities) -> base_pb2.TransportSocket:
    """Let Envoy accept the service of this name alone."""
    matcher = common_pb2.SubjectAltNameMatcher(
        san_type=common_pb2.SubjectAltNameMatcher.URI, matcher=_exactly(service, identities)
    )
    validation = tls_pb2.CommonTlsContext.CombinedCertificateValidationContext(
        default_validation_context=common_pb2.CertificateValidationContext(match_typed_subject_alt_names=[matcher]),
        validation_context_sds_secret_config=_secret(sds.AUTHORITIES, identities),
    )
    newest = common_pb2.TlsParameters.TLSv1_3
    context = tls_pb2.CommonTlsContext(
        alpn_protocols=["h2"],
        # Envoy as a client stops at TLS 1.2 unless told otherwise.
        tls_params=common_pb2.TlsParameters(tls_minimum_protocol_version=newest, tls_maximum_protocol_version=newest),
        tls_certificate_sds_secret_configs=[_secret(sds.CERTIFICATE, identities)],
        combined_validation_context=validation,
    )
    return _socket(context)


def _exactly(service: str, identities: Identities) -> string_pb2.StringMatcher:
    return string_pb2.StringMatcher(exact=identities.domain.id_of(service))


def _provider() -> common_pb2.CertificateProviderPluginInstance:
    return common_pb2.CertificateProviderPluginInstance(instance_name=PROVIDER)


def _secret(name: str, identities: Identities) -> secret_pb2.SdsSecretConfig:
    source = config_source_pb2.ConfigSource(
        path_config_source=config_source_pb2.PathConfigSource(path=str(sds.file_of(identities.edge, name))),
        resource_api_version=config_source_pb2.V3,
    )
    return secret_pb2.SdsSecretConfig(name=name, sds_config=source)


def _socket(context: tls_pb2.CommonTlsContext) -> base_pb2.TransportSocket:
    socket = base_pb2.TransportSocket(name=TLS_SOCKET)
    socket.typed_config.Pack(tls_pb2.UpstreamTlsContext(common_tls_context=context), deterministic=True)
    return socket
