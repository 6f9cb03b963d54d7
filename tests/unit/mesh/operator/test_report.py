"""What everybody believes, held against Consul, and how it is laid out."""

import datetime as dt
import json
from dataclasses import replace
from typing import Any

from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.service.status.v3 import csds_pb2
from google.protobuf import json_format

from mesh.introspection import XDS_STATUS
from mesh.operator import edge, layout
from mesh.operator.beliefs import ENDPOINTS, Belief, Endpoint
from mesh.operator.edge import Edge
from mesh.operator.report import Report
from mesh.operator.survey import Member, Registered, registered
from ordermesh.mesh.v1.introspection_service_pb2 import ControlPlane, Process, Refusal, Subscriber

NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
PRODUCT = Registered("product", "product-1", "127.0.0.1:9020", "zone-a", "1.2", "passing", ())


def process(*, product_at: str = "", refusal: str = "", ends: dt.timedelta = dt.timedelta(days=2)) -> Process:
    """Make a process that may call product at an address, and may have refused what it was told of it."""
    told = endpoint_pb2.ClusterLoadAssignment(cluster_name="product")
    if product_at:
        host, _, port = product_at.partition(":")
        socket = told.endpoints.add().lb_endpoints.add().endpoint.address.socket_address
        socket.address, socket.port_value = host, int(port)
    status = csds_pb2.ClientStatusResponse()
    dumped = status.config.add().generic_xds_configs.add(
        type_url="type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment", name="product", version_info="v7"
    )
    dumped.xds_config.Pack(told)
    dumped.error_state.details = refusal
    made = Process(service="order", instance="order-1", version="1.2")
    made.identity.spiffe_id = "spiffe://d/ns/default/dc/dc1/svc/order"
    made.identity.end_time.FromDatetime(NOW + ends)
    made.start_time.FromDatetime(NOW - dt.timedelta(minutes=5))
    made.xds.type_url, made.xds.value = XDS_STATUS, status.SerializeToString()
    return made


def order(process: Process | None, failure: str = "") -> Member:
    """Make an instance of order, which says this of itself."""
    there = Registered("order", "order-1", "127.0.0.1:9050", "zone-a", "1.2", "passing", ())
    return Member(there, process, failure)


def troubles(*members: Member, edges: tuple[Edge, ...] = ()) -> list[str]:
    """Report on them, and on one healthy instance of product."""
    return list(Report([*members, Member(PRODUCT, process(product_at=PRODUCT.address))], edges, NOW).troubles())


def test_when_all_believe_what_consul_says_nothing_is_wrong() -> None:
    """The same addresses."""
    assert troubles(order(process(product_at=PRODUCT.address))) == []


def test_a_process_that_would_call_nobody_and_one_that_would_call_a_stranger() -> None:
    """Both are named with the addresses they differ in."""
    assert troubles(order(process())) == ["order-1 would not call product at 127.0.0.1:9020, which Consul says is well"]
    strange = troubles(order(process(product_at="127.0.0.1:666")))
    assert strange[0] == "order-1 would call product at 127.0.0.1:666, where Consul has nobody well"


def test_a_refused_resource_is_told_in_the_client_s_own_words() -> None:
    """By a process of what it refused, and by a control plane of what others did."""
    refusing = process(product_at=PRODUCT.address, refusal="no such policy")
    assert troubles(order(refusing)) == ["order-1 refuses ClusterLoadAssignment product: no such policy"]
    told = ControlPlane(
        held_services=["auth"],
        subscribers=[Subscriber(node="edge-1", refusals=[Refusal(type="Cluster", reason="bad")])],
    )
    plane = process(product_at=PRODUCT.address)
    plane.control_plane.CopyFrom(told)
    assert troubles(order(plane)) == [
        "edge-1 refuses Cluster, says order-1: bad",
        "order-1 keeps the last instances of auth, which Consul lists no more",
    ]


def test_one_that_can_not_be_asked_spoils_nothing() -> None:
    """It is named, and the others are told as ever."""
    silent = order(None, "UNAVAILABLE: refused")
    assert troubles(silent) == ["order-1 can't be asked: UNAVAILABLE: refused"]
    text = layout.overview(Report([silent, Member(PRODUCT, process())], [], NOW))
    assert "can't be asked" in text
    assert "product-1" in text


def test_a_sick_instance_is_told_with_its_reasons_and_an_ended_certificate_by_its_end() -> None:
    """Consul's checks say why."""
    sick = replace(order(process(product_at=PRODUCT.address, ends=dt.timedelta(seconds=-1))).registered)
    member = Member(
        replace(sick, health="critical", reasons=("database: no answer",)),
        process(product_at=PRODUCT.address, ends=dt.timedelta(seconds=-1)),
    )
    assert troubles(member) == [
        "order-1 is critical in Consul: database: no answer",
        "order-1 shows a certificate that ended at 2026-04-30T23:59:59+00:00",
    ]


def test_an_entry_of_consul_is_read_with_its_worst_check() -> None:
    """A warning alone is one; the reasons are those of the checks that don't pass."""

    def entry(*checks: tuple[str, str]) -> dict[str, Any]:
        service = {"Service": "order", "ID": "o", "Address": "", "Port": 1, "Meta": {"zone": "z"}}
        told = [{"Status": status, "Output": output} for status, output in checks]
        return {"Node": {"Address": "10.0.0.1"}, "Service": service, "Checks": told}

    found = registered(entry(("passing", "fine"), ("warning", "database: away\n"), ("critical", "not serving")))
    assert (found.address, found.zone, found.health) == ("10.0.0.1:1", "z", "critical")
    assert found.reasons == ("database: away", "not serving")
    assert registered(entry(("passing", "fine"), ("warning", "slow"))).health == "warning"


def test_the_edge_s_own_account_is_read() -> None:
    """Only what the control plane told it counts; its static clusters are none of the mesh."""
    clusters = (
        "order::added_via_api::true\norder::127.0.0.1:1::zone::zone-a\norder::127.0.0.1:1::health_flags::healthy\n"
        "order::127.0.0.1:2::health_flags::/failed_eds_health\nkeys::added_via_api::false\n"
        "keys::127.0.0.1:3::health_flags::healthy\n"
    )
    healthy, failed = (
        Endpoint("127.0.0.1:1", "zone-a", "HEALTHY"),
        Endpoint("127.0.0.1:2", "", "failed_eds_health"),
    )
    assert list(edge.beliefs(clusters)) == [Belief(ENDPOINTS, "order", "ACKED", "", "", (healthy, failed))]
    uri = {"subject_alt_names": [{"uri": "spiffe://d/ns/default/dc/dc1/svc/edge"}]}
    chain = [{**uri, "serial_number": "0e", "expiration_time": "2026-05-03T00:00:00Z"}]
    shown = edge.shown(json.dumps({"certificates": [{"cert_chain": [{"serial_number": "1"}]}, {"cert_chain": chain}]}))
    assert shown is not None
    assert (shown.serial, shown.end) == ("0e", NOW + dt.timedelta(days=2))


def test_programs_get_everything_but_what_it_was_read_from() -> None:
    """It is JSON throughout."""
    told = Report([order(process(product_at=PRODUCT.address))], [Edge("127.0.0.1:9901", failure="away")], NOW).json()
    (member,) = json.loads(json.dumps(told, default=str))["members"]
    assert "xds" not in member["process"]
    assert member["believes"][0]["endpoints"][0]["address"] == PRODUCT.address
    assert json_format.ParseDict(member["process"], Process()).instance == "order-1"


def test_one_service_is_told_in_detail() -> None:
    """Who it is, whom it lets in, what it believes."""
    made = process(product_at=PRODUCT.address)
    made.intentions.add(source="edge", allowed=True)
    made.intentions.add(source="operator").permissions.add(allowed=True, path="/a/B")
    text = layout.detail(Report([order(made), Member(PRODUCT, process())], [], NOW), "order")
    for line in ("is spiffe://", "lets edge: / for itself", "lets operator: /a/B", "127.0.0.1:9020 - healthy"):
        assert line in text
    assert "product-1" not in text
    assert layout.detail(Report([], [], NOW), "odrer") == "nobody is called odrer"
