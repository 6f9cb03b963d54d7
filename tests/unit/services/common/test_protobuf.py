"""Money to and from google.type.Money: nothing is rounded, nothing is lost, and what can't be paid is refused."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.type import money_pb2
from hypothesis import given
from hypothesis import strategies as st

from mesh import errors
from services.common.money import Money
from services.common.protobuf import money_from_proto, money_to_proto, timestamp_to_proto

EXPONENTS = {"JPY": 0, "XXX": 0, "EUR": 2, "USD": 2, "KWD": 3, "CLF": 4}
CURRENCIES = st.sampled_from(sorted(EXPONENTS))
MINOR_UNITS = st.integers(-(10**17), 10**17)
NANOS_IN_A_UNIT = 10**9


@given(CURRENCIES, MINOR_UNITS)
def test_an_amount_comes_back_as_it_went(currency: str, minor_units: int) -> None:
    """Also a negative one, in every number of decimal places that currencies have."""
    money = Money(currency, minor_units)
    assert money_from_proto(money_to_proto(money)) == money


@given(CURRENCIES, MINOR_UNITS)
def test_units_and_nanos_have_one_sign_and_are_worth_the_amount(currency: str, minor_units: int) -> None:
    """As google.type.Money asks."""
    message = money_to_proto(Money(currency, minor_units))
    assert abs(message.nanos) < NANOS_IN_A_UNIT
    assert message.units * message.nanos >= 0
    worth = message.units * NANOS_IN_A_UNIT + message.nanos
    assert worth * 10 ** EXPONENTS[currency] == minor_units * NANOS_IN_A_UNIT


@given(CURRENCIES, st.integers(-(2**53), 2**53), st.integers(-(2**31), 2**31 - 1))
def test_what_is_read_is_worth_what_was_sent_or_refused(currency: str, units: int, nanos: int) -> None:
    """Never a rounding, whatever a caller sends."""
    message = money_pb2.Money(currency_code=currency, units=units, nanos=nanos)
    try:
        money = money_from_proto(message)
    except errors.InvalidArgument:
        fraction = 10 ** (9 - EXPONENTS[currency])
        assert nanos % fraction or abs(nanos) >= NANOS_IN_A_UNIT or units * nanos < 0
    else:
        worth = units * NANOS_IN_A_UNIT + nanos
        assert money.minor_units * NANOS_IN_A_UNIT == worth * 10 ** EXPONENTS[currency]


REFUSED = [
    (money_pb2.Money(currency_code="EUR", units=1, nanos=5_000_000), "price.nanos", "2 decimal places"),
    (money_pb2.Money(currency_code="JPY", units=1, nanos=500_000_000), "price.nanos", "0 decimal places"),
    (money_pb2.Money(currency_code="EUR", units=1, nanos=-10_000_000), "price.nanos", "another sign"),
    (money_pb2.Money(currency_code="EUR", nanos=1_000_000_000), "price.nanos", "2 decimal places"),
    (money_pb2.Money(currency_code="EUX", units=1), "price.currency_code", "'EUX' is no ISO 4217 currency"),
    (money_pb2.Money(currency_code="eur", units=1), "price.currency_code", "no ISO 4217 currency"),
    (money_pb2.Money(units=1), "price.currency_code", "no ISO 4217 currency"),
    (money_pb2.Money(currency_code="XAU", units=1), "price.currency_code", "no ISO 4217 currency"),
]


@pytest.mark.parametrize(("message", "field", "description"), REFUSED)
def test_what_can_not_be_paid_is_refused_by_field(message: money_pb2.Money, field: str, description: str) -> None:
    """The caller learns which part of which field is wrong."""
    with pytest.raises(errors.InvalidArgument, match=description) as refusal:
        money_from_proto(message, "price")
    assert [violation.field for violation in refusal.value.violations] == [field]


def test_an_amount_in_no_currency_that_exists_is_not_written() -> None:
    """It would be a defect of ours."""
    with pytest.raises(ValueError, match="EUX"):
        money_to_proto(Money("EUX", 1))


@given(st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1)), st.integers(-14, 14))  # noqa: DTZ001 - a zone comes below
def test_a_moment_is_written_in_utc_to_the_microsecond(moment: datetime, hours: int) -> None:
    """Whatever zone it was given in."""
    moment = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    assert timestamp_to_proto(moment).ToDatetime(UTC) == moment
