"""Roles and the permissions they hold."""

from mesh.contract import AccessKind, Contract
from services.auth.domain import PERMISSIONS, Role, canonical, permissions_of


def _named_in_contracts() -> set[str]:
    methods = Contract.load().methods
    named = {policy.access.permission for policy in methods if policy.access.kind is AccessKind.PERMISSION}
    return named | {policy.unrestricted_permission for policy in methods if policy.unrestricted_permission}


def test_an_admin_holds_every_permission_that_a_contract_names_and_no_other() -> None:
    """A permission that nobody holds makes its method unreachable; one that nothing asks for is a typing error."""
    assert PERMISSIONS[Role.ADMIN] == _named_in_contracts()


def test_a_customer_holds_nothing_that_reaches_what_belongs_to_others() -> None:
    """Customers see their own only."""
    beyond = {policy.unrestricted_permission for policy in Contract.load().methods}
    assert not PERMISSIONS[Role.CUSTOMER] & beyond


def test_permissions_of_several_roles_add_up() -> None:
    """Roles only ever allow."""
    assert permissions_of([Role.CUSTOMER, Role.ADMIN]) == PERMISSIONS[Role.ADMIN]
    assert permissions_of([]) == frozenset()


def test_an_email_is_one_account_however_it_is_typed() -> None:
    """Case and surrounding space don't make another person."""
    assert canonical(" Ann@Example.COM ") == canonical("ann@example.com")
