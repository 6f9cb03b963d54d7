"""What products are found by and called."""

from services.product.domain import SkuTaken, UnknownSku, shown_name, words


def test_case_and_punctuation_do_not_matter_to_a_search() -> None:
    """A SKU is found by its parts."""
    assert words("TEE-01, Größe L") == ["tee", "01", "grösse", "l"]


def test_nothing_of_a_query_but_words_reaches_the_database() -> None:
    """Operators of its query language are punctuation to us."""
    assert words("' | !:* () & '") == []


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
