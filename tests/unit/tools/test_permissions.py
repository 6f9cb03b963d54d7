"""The page that says who may call what."""

from mesh.contract import AccessKind, Contract
from tools.permissions import PAGE, granted, written


def test_every_method_is_on_the_page_with_who_may_call_it() -> None:
    """And with the roles that may."""
    contract = Contract.load()
    page = written(contract, {"clerk": {"orders.read"}})
    for method in contract.methods:
        section = page.partition(f"## {method.service.rpartition('.')[2]}\n")[2].partition("\n## ")[0]
        (line,) = [line for line in section.splitlines() if line.startswith(f"| {method.method} |")]
        assert ("clerk" in line) == (method.access.permission == "orders.read")
        assert f"`{method.access.permission}`" in line or method.access.kind is not AccessKind.PERMISSION


def test_the_page_in_the_docs_is_current() -> None:
    """`make lint` asks the same."""
    assert PAGE.read_text() == written(Contract.load(), granted())
