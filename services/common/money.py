"""Amounts of money: whole minor units of one currency, never floating point, never two currencies in one sum."""

from dataclasses import dataclass

NO_CURRENCY = "XXX"
"""ISO 4217's own "no currency": of what was never charged, which has no minor units either."""


class CurrencyMismatchError(ValueError):
    """Two amounts of different currencies met in one calculation: a defect of the caller."""


@dataclass(frozen=True, slots=True)
class Money:
    """`minor_units` of an ISO 4217 currency: Money("EUR", 1999) is 19.99 EUR."""

    currency_code: str
    minor_units: int

    def __add__(self, other: "Money") -> "Money":
        return Money(self.currency_code, self.minor_units + self._same(other))

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.currency_code, self.minor_units - self._same(other))

    def __mul__(self, quantity: int) -> "Money":
        return Money(self.currency_code, self.minor_units * quantity)

    def __lt__(self, other: "Money") -> bool:
        return self.minor_units < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.minor_units <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        return self.minor_units > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        return self.minor_units >= self._same(other)

    def __bool__(self) -> bool:
        return self.minor_units != 0

    def __str__(self) -> str:
        return f"{self.minor_units} minor units of {self.currency_code}"

    def _same(self, other: "Money") -> int:
        if self.currency_code != other.currency_code:
            raise CurrencyMismatchError(f"{self.currency_code} and {other.currency_code} don't add up")
        return other.minor_units
