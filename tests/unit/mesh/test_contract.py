"""Reading the contracts: what each method says about itself, and what is refused when it says too little."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto

from mesh.contract import (
    Access,
    AccessKind,
    Contract,
    ContractError,
    HttpBinding,
    Idempotency,
    RateClass,
    domain_of,
)
from ordermesh.options.v1 import options_pb2
from ordermesh.order.v1 import order_service_pb2


@pytest.fixture(scope="module")
def contract() -> Contract:
    """Load what `make proto` built."""
    return Contract.load()


def test_every_service_of_ours_is_in_the_contract(contract: Contract) -> None:
    """Six domains, and none of a library that we build with."""
    domains = {domain_of(service) for service in contract.services}
    assert domains == {"auth", "product", "inventory", "payment", "order", "notification"}


def test_a_method_is_found_by_its_grpc_path(contract: Contract) -> None:
    """Everything that the proto file says is there."""
    method = contract.method("/ordermesh.order.v1.OrderService/GetOrder")
    assert method is not None
    assert method.domain == "order"
    assert method.access == Access(AccessKind.PERMISSION, "orders.read")
    assert method.deadline == timedelta(seconds=2)
    assert (method.idempotency, method.rate) == (Idempotency.SAFE, RateClass.DEFAULT)
    assert method.unrestricted_permission == "orders.manage"
    assert method.bindings == (HttpBinding("GET", "/api/v1/orders/{id}", ""),)


def test_an_internal_method_has_no_way_over_rest(contract: Contract) -> None:
    """Nor does any other internal one."""
    internal = [method for method in contract.methods if method.access.kind is AccessKind.INTERNAL]
    assert internal
    assert not any(method.bindings for method in internal)


def test_a_method_of_others_is_not_in_it(contract: Contract) -> None:
    """Health and reflection have no policy of ours."""
    assert contract.method("/grpc.health.v1.Health/Check") is None


@pytest.mark.parametrize(
    ("service", "domain"),
    [
        ("ordermesh.order.v1.OrderService", "order"),
        ("acme.loyalty.v2beta1.LoyaltyService", "loyalty"),
        ("loyalty.Service", "loyalty"),
    ],
)
def test_a_service_is_known_by_its_package_without_the_version(service: str, domain: str) -> None:
    """Ours and those of other teams."""
    assert domain_of(service) == domain


def test_a_service_is_learnt_from_its_generated_module() -> None:
    """With what its proto file says, whoever wrote it; nothing has to be kept beside the module."""
    learnt = Contract()
    learnt.learn(order_service_pb2.DESCRIPTOR.services_by_name["OrderService"].full_name)
    (service,) = learnt.services
    built = Contract.load()
    assert learnt.methods == tuple(method for method in built.methods if method.service == service)


def test_a_service_whose_module_nobody_imported_is_an_error() -> None:
    """The message says what is missing."""
    with pytest.raises(LookupError, match=r"acme\.Nothing.*imported"):
        Contract().learn("acme.Nothing")


def described(tmp_path: Path, policy: Mapping[str, Any], package: str = "ordermesh.test.v1") -> Path:
    """Write descriptors of one service with one method, and that method's policy unless there is none."""
    file = FileDescriptorProto(name="test.proto", package=package)
    method: MethodDescriptorProto = file.service.add(name="TestService").method.add(name="Do")
    if policy:
        method.options.Extensions[options_pb2.policy].CopyFrom(options_pb2.MethodPolicy(**policy))
    path = tmp_path / "descriptors.binpb"
    path.write_bytes(FileDescriptorSet(file=[file]).SerializeToString())
    return path


COMPLETE: dict[str, Any] = {
    "public": True,
    "deadline": timedelta(seconds=1),
    "idempotency": options_pb2.SAFE,
    "rate": options_pb2.STRICT,
}


def test_a_complete_policy_is_taken(tmp_path: Path) -> None:
    """What is optional is absent."""
    (method,) = Contract.load(described(tmp_path, COMPLETE)).methods
    assert method.access == Access(AccessKind.PUBLIC)
    assert (method.cache_ttl, method.unrestricted_permission, method.bindings) == (None, "", ())


@pytest.mark.parametrize("missing", [*COMPLETE, None])
def test_a_method_that_says_too_little_is_an_error(tmp_path: Path, missing: str | None) -> None:
    """Nothing is served by a rule that somebody forgot. The message names the method."""
    policy = {key: value for key, value in COMPLETE.items() if missing and key != missing}
    with pytest.raises(ContractError, match=r"/ordermesh\.test\.v1\.TestService/Do"):
        Contract.load(described(tmp_path, policy))


def test_public_false_is_no_answer(tmp_path: Path) -> None:
    """`public: false` says who may not call, not who may."""
    with pytest.raises(ContractError, match="who may call"):
        Contract.load(described(tmp_path, COMPLETE | {"public": False}))


def test_services_of_others_need_no_policy(tmp_path: Path) -> None:
    """Descriptors hold all that our protos import."""
    assert Contract.load(described(tmp_path, {}, package="grpc.health.v1")).methods == ()


def test_before_the_first_build_the_file_is_missing(tmp_path: Path) -> None:
    """Nobody takes an empty contract for the real one."""
    with pytest.raises(FileNotFoundError):
        Contract.load(tmp_path / "none.binpb")


def test_bindings_are_read_with_their_additional_ones(tmp_path: Path) -> None:
    """One method may be reached in several ways."""
    path = described(tmp_path, COMPLETE)
    files = FileDescriptorSet.FromString(path.read_bytes())
    rule: http_pb2.HttpRule = files.file[0].service[0].method[0].options.Extensions[annotations_pb2.http]  # type: ignore[index]
    rule.post, rule.body = "/a", "*"
    rule.additional_bindings.add(get="/b")
    path.write_bytes(files.SerializeToString())
    assert Contract.load(path).methods[0].bindings == (HttpBinding("POST", "/a", "*"), HttpBinding("GET", "/b", ""))
