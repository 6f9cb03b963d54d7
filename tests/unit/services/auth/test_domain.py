"""What auth decides about users and roles."""

import pytest

from mesh import errors
from services.auth.domain import canonical, require_exist, require_held, require_known


def test_an_email_is_one_account_however_it_is_typed() -> None:
    """Case and surrounding space don't make another person."""
    assert canonical(" Ann@Example.COM ") == canonical("ann@example.com")


def test_a_permission_that_no_contract_has_is_refused_by_its_place() -> None:
    """A typing error would otherwise allow nothing, silently."""
    require_known(["orders.read"], {"orders.read"})
    with pytest.raises(errors.InvalidArgument) as refused:
        require_known(["orders.read", "orders.rea"], {"orders.read"})
    assert [(each.field, each.reason) for each in refused.value.violations] == [
        ("permissions[1]", "PERMISSION_UNKNOWN")
    ]


def test_a_role_that_is_none_is_refused_by_its_place() -> None:
    """As with permissions."""
    require_exist(["admin"], {"admin"})
    with pytest.raises(errors.InvalidArgument) as refused:
        require_exist(["admin", "admni"], {"admin"})
    assert [each.field for each in refused.value.violations] == ["roles[1]"]


def test_nobody_gives_away_what_they_may_not_do() -> None:
    """Whoever looks after users does not become an admin by it."""
    require_held(["orders.read"], {"orders.read", "users.manage"})
    with pytest.raises(errors.PermissionDenied) as refused:
        require_held(["orders.read", "products.write"], {"orders.read", "users.manage"})
    assert refused.value.metadata == {"permissions": "products.write"}
