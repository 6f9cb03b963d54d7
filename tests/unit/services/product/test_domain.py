"""What products are found by and called."""

from services.product.domain import ProductNotFound, SkuTaken, UnknownSku, shown_name, words


def test_case_and_punctuation_do_not_matter_to_a_search() -> None:
    """A SKU is found by its parts."""
    assert words("TEE-01, Größe L") == ["tee", "01", "grösse", "l"]
    assert words("tee_01.l") == ["tee", "01", "l"]


def test_a_variant_without_a_name_goes_by_the_name_of_its_product() -> None:
    """Customers never see a dangling comma."""
    assert shown_name("Tee", "") == "Tee"
    assert shown_name("Tee", "XL") == "Tee, XL"


def test_errors_name_the_field_of_each_sku_that_is_wrong() -> None:
    """A form can point at it."""
    assert [violation.field for violation in UnknownSku([(1, "B"), (3, "D")], "EUR").violations] == [
        "skus[1]",
        "skus[3]",
    ]
    assert [violation.field for violation in SkuTaken([(0, "A")]).violations] == ["variants[0].sku"]
    assert [violation.field for violation in ProductNotFound([("ids[2]", "p")]).violations] == ["ids[2]"]


def test_errors_list_the_skus_for_programs() -> None:
    """Whoever ordered them need not read the message."""
    unknown = UnknownSku([(1, "B"), (3, "D")], "EUR")
    assert (unknown.code, unknown.reason) == ("NOT_FOUND", "UNKNOWN_SKU")
    assert dict(unknown.metadata)["skus"] == "B,D"
    taken = SkuTaken([(0, "A"), (2, "C")])
    assert (taken.code, taken.reason, dict(taken.metadata)["skus"]) == ("ALREADY_EXISTS", "SKU_TAKEN", "A,C")
