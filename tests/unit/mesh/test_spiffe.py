"""Reading SPIFFE IDs: who they name, and who they don't."""

import pytest

from mesh.spiffe import TrustDomain, domain_in

DOMAIN = TrustDomain("11111111-2222-3333-4444-555555555555.consul", "dc1")


def test_an_id_names_its_service() -> None:
    """What is written is read back."""
    assert DOMAIN.service_of(DOMAIN.id_of("order")) == "order"
    assert domain_in(DOMAIN.id_of("order")) == DOMAIN


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "order",
        "spiffe://another.consul/ns/default/dc/dc1/svc/order",
        f"spiffe://{DOMAIN.name}/ns/default/dc/dc2/svc/order",
        f"spiffe://{DOMAIN.name}/ns/other/dc/dc1/svc/order",
        f"spiffe://{DOMAIN.name}/ns/default/dc/dc1/svc/order/more",
        f"spiffe://{DOMAIN.name}/ns/default/dc/dc1/svc/",
        f"https://{DOMAIN.name}/ns/default/dc/dc1/svc/order",
        f"spiffe://{DOMAIN.name}/agent/client/dc/dc1/id/order",
    ],
)
def test_what_is_no_id_of_this_domain_names_nobody(shown: str) -> None:
    """Another cluster, datacenter or namespace, an agent, or no ID at all."""
    assert DOMAIN.service_of(shown) == ""


def test_an_id_that_is_none_has_no_domain() -> None:
    """A kept certificate that names no service is no identity."""
    with pytest.raises(ValueError, match="no SPIFFE ID"):
        domain_in("spiffe://x/agent/client/dc/dc1/id/order")
