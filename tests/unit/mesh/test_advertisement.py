"""What a process tells of its contracts in Consul, and what the control plane makes of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh import advertisement
from mesh.contract import Contract, Idempotency

METHODS = Contract.load().methods


def test_methods_are_told_with_whether_they_may_be_repeated() -> None:
    """As a person reads it in Consul's UI."""
    methods = [each for each in METHODS if each.domain == "order"]
    told = advertisement.written(methods)
    assert told["methods-0"].startswith("ordermesh.order.v1.OrderService/CreateOrder,GetOrder*")
    assert all(len(value) <= advertisement.LONGEST_VALUE for value in told.values())


@settings(deadline=None)
@given(st.sets(st.sampled_from(METHODS)))
def test_what_is_told_is_read_again(methods: set[object]) -> None:
    """Cut into pieces or not, of one service or of many."""
    chosen = [each for each in METHODS if each in methods]
    expected = {each.full_name: each.idempotency is not Idempotency.ONCE for each in chosen}
    assert advertisement.read(advertisement.written(chosen)) == expected


@pytest.mark.parametrize("meta", [{}, {"zone": "a"}, {"methods-0": ""}, {"methods-x": "a/b"}, {"methods-0": "nothing"}])
def test_what_says_nothing_of_methods_gives_none(meta: dict[str, str]) -> None:
    """Anybody may register anything."""
    assert advertisement.read(meta) == {}
