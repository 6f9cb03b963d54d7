"""Between our values and the well-known messages: google.type.Money and google.protobuf.Timestamp."""

import functools
from datetime import UTC, datetime

import iso4217
from google.protobuf.timestamp_pb2 import Timestamp
from google.type import money_pb2

from mesh import errors
from services.common.money import NO_CURRENCY, Money

NANOS = 9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_SECONDS = 86_400


def money_to_proto(money: Money) -> money_pb2.Money:
    """Write an amount. Raises ValueError for a currency that ISO 4217 does not have."""
    exponent = _exponent(money.currency_code)
    sign = -1 if money.minor_units < 0 else 1
    units, rest = divmod(abs(money.minor_units), 10**exponent)
    nanos = rest * 10 ** (NANOS - exponent)
    return money_pb2.Money(currency_code=money.currency_code, units=sign * units, nanos=sign * nanos)


def money_from_proto(message: money_pb2.Money, field: str = "amount") -> Money:
    """Read an amount. Raises InvalidArgument, naming `field`, for one that can't be paid in whole minor units."""
    try:
        exponent = _exponent(message.currency_code)
    except ValueError:
        raise _invalid(f"{field}.currency_code", f"{message.currency_code!r} is no ISO 4217 currency") from None
    if message.units * message.nanos < 0:
        raise _invalid(f"{field}.nanos", "has another sign than units")
    minor, finer = divmod(abs(message.nanos), 10 ** (NANOS - exponent))
    if finer or minor >= 10**exponent:
        raise _invalid(f"{field}.nanos", f"{message.currency_code} has {exponent} decimal places")
    units = message.units * 10**exponent
    return Money(message.currency_code, units - minor if message.nanos < 0 else units + minor)


def timestamp_to_proto(moment: datetime) -> Timestamp:
    """Write a moment, which has a time zone."""
    since = moment - _EPOCH
    return Timestamp(seconds=since.days * _DAY_SECONDS + since.seconds, nanos=since.microseconds * 1000)


@functools.cache
def _exponent(currency_code: str) -> int:
    if currency_code == NO_CURRENCY:
        return 0
    exponent = iso4217.Currency(currency_code).exponent
    if exponent is None:
        raise ValueError(currency_code)
    return int(exponent)


def _invalid(field: str, description: str) -> errors.InvalidArgument:
    return errors.InvalidArgument(
        f"{field}: {description}",
        reason="MONEY_INVALID",
        violations=[errors.FieldViolation(field, description, "MONEY_INVALID")],
    )
