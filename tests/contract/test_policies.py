"""What every RPC states about itself: who may call, for how long, how often, and if it may be repeated."""

import re
from datetime import timedelta

import pytest

from ordermesh.options.v1 import options_pb2
from tests.contract.catalogue import Method, methods, services_of_the_system

LONGEST_UNARY_DEADLINE = timedelta(seconds=30)
PERMISSION = re.compile(r"[a-z]+\.[a-z]+")

every_method = pytest.mark.parametrize("method", methods(), ids=str)


def policy_of(method: Method) -> options_pb2.MethodPolicy:
    """Give the policy, which must be there."""
    assert method.policy is not None, f"{method} states no policy"
    return method.policy


def test_every_service_of_the_system_has_a_contract() -> None:
    """The second part of the package is the name of the service that answers; every process answers for `mesh`."""
    assert {method.package.split(".")[1] for method in methods()} == {"mesh", *services_of_the_system()}


@every_method
def test_an_rpc_says_who_may_call_it(method: Method) -> None:
    """Exactly one of public, permission and internal is set, and not to its empty value."""
    access = policy_of(method).WhichOneof("access")
    assert access is not None
    assert getattr(policy_of(method), access)


@every_method
def test_a_permission_is_a_resource_and_a_verb(method: Method) -> None:
    """Permissions read `<resource>.<verb>`."""
    named = {policy_of(method).permission, policy_of(method).unrestricted_permission} - {""}
    assert all(PERMISSION.fullmatch(permission) for permission in named)


@every_method
def test_seeing_everybodys_needs_a_permission_to_see_ones_own(method: Method) -> None:
    """`unrestricted_permission` widens a permission; without one there is nothing to widen."""
    policy = policy_of(method)
    assert policy.permission or not policy.unrestricted_permission


@every_method
def test_an_rpc_has_a_deadline(method: Method) -> None:
    """The deadline is positive, and at most half a minute for a unary call."""
    deadline = policy_of(method).deadline.ToTimedelta()
    assert deadline > timedelta(0)
    assert deadline <= LONGEST_UNARY_DEADLINE or method.proto.server_streaming or method.proto.client_streaming


@every_method
def test_an_rpc_says_whether_it_may_be_repeated(method: Method) -> None:
    """Infrastructure retries by this alone."""
    assert policy_of(method).idempotency != options_pb2.IDEMPOTENCY_UNSPECIFIED


@every_method
def test_an_rpc_has_a_rate_class(method: Method) -> None:
    """The edge limits by this alone."""
    assert policy_of(method).rate != options_pb2.RATE_CLASS_UNSPECIFIED


@every_method
def test_only_reads_are_asked_twice(method: Method) -> None:
    """A hedge must change nothing, and be worth more than the deadline that would come instead."""
    policy = policy_of(method)
    if policy.HasField("hedge_delay"):
        assert policy.idempotency == options_pb2.SAFE
        assert not method.proto.server_streaming
        assert not method.proto.client_streaming
        assert policy.hedge_delay.ToTimedelta() > timedelta(0)
        assert policy.hedge_delay.ToTimedelta() <= policy.deadline.ToTimedelta() / 4


@every_method
def test_only_public_reads_are_cached(method: Method) -> None:
    """A shared cache must not serve one caller's reply to another."""
    policy = policy_of(method)
    if policy.HasField("cache_ttl"):
        assert policy.public
        assert policy.idempotency == options_pb2.SAFE
        assert policy.cache_ttl.ToTimedelta() > timedelta(0)


@every_method
def test_only_public_methods_judge_the_header_authorization_themselves(method: Method) -> None:
    """Where a token is asked for, the edge judges it."""
    policy = policy_of(method)
    assert policy.public or not policy.oauth_endpoint
