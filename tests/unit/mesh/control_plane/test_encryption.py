"""Whom clients of a service accept as that service."""

from pathlib import Path

from envoy.config.cluster.v3 import cluster_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2

from mesh.control_plane.clusters import cluster, edge_cluster
from mesh.control_plane.encryption import Identities
from mesh.control_plane.policy import DEFAULTS
from mesh.spiffe import TrustDomain

ORDER = "spiffe://11111111-2222-3333-4444-555555555555.consul/ns/default/dc/dc1/svc/order"
IDENTITIES = Identities(TrustDomain("11111111-2222-3333-4444-555555555555.consul", "dc1"), Path("/edge"))


def context_of(built: cluster_pb2.Cluster) -> tls_pb2.CommonTlsContext:
    """Unpack what a cluster says about TLS."""
    context = tls_pb2.UpstreamTlsContext()
    assert built.transport_socket.typed_config.Unpack(context)
    return context.common_tls_context


def test_grpc_accepts_the_service_alone() -> None:
    """An empty list of names would accept every certificate of the authority."""
    context = context_of(cluster("order", "", DEFAULTS, IDENTITIES))

    assert [each.exact for each in context.validation_context.match_subject_alt_names] == [ORDER]
    assert context.validation_context.ca_certificate_provider_instance.instance_name == "mesh"
    assert context.tls_certificate_provider_instance.instance_name == "mesh"


def test_the_edge_accepts_the_service_alone() -> None:
    """And nothing older than TLS 1.3."""
    context = context_of(edge_cluster("order", DEFAULTS, IDENTITIES))

    [matcher] = context.combined_validation_context.default_validation_context.match_typed_subject_alt_names
    assert matcher.matcher.exact == ORDER
    assert context.tls_params.tls_minimum_protocol_version == context.tls_params.TLSv1_3


def test_the_edge_is_told_where_its_certificate_is() -> None:
    """In files that it watches; it refuses the words in which gRPC is told."""
    context = context_of(edge_cluster("order", DEFAULTS, IDENTITIES))

    trusted = context.combined_validation_context.validation_context_sds_secret_config
    paths = [each.sds_config.path_config_source.path for each in (trusted, *context.tls_certificate_sds_secret_configs)]
    assert paths == ["/edge/authorities.json", "/edge/certificate.json"]
    assert not context.HasField("tls_certificate_provider_instance")


def test_without_identities_there_is_no_encryption() -> None:
    """As tests want it that are about something else."""
    for built in (cluster("order", "", DEFAULTS, None), edge_cluster("order", DEFAULTS, None)):
        assert not built.HasField("transport_socket")
