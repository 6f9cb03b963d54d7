"""How each gateway's settlement report is read: which columns, and which rows move a payer's money."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol

import iso4217

from services.common.money import Money
from services.payment.adapters.gateway import Settled
from services.payment.domain.payment import Kind

Row = Mapping[str, str]


class Source(Protocol):
    """Whoever can be asked for what moved."""

    def movements(self, start: datetime, end: datetime) -> AsyncIterator[Settled]:
        """Give the movements of a period."""


def minor_units(currency_code: str, amount: str) -> Money:
    """Read a decimal amount, such as 19.99. Raises ValueError unless it is one of that currency."""
    exponent = iso4217.Currency(currency_code.upper()).exponent or 0
    scaled = abs(Decimal(amount)).scaleb(exponent) if _is_number(amount) else None
    if scaled is None or scaled != scaled.to_integral_value():
        raise ValueError(f"{amount!r} is no amount of {currency_code}")
    return Money(currency_code.upper(), int(scaled))


class SandboxBooks:
    """The form for whoever writes a file by hand.

    Columns: id, type (CAPTURE, REFUND, CHARGEBACK, CHARGEBACK_REVERSAL), reference, payment_reference, amount
    (decimal) and currency.
    """

    def __init__(self, source: Source | None = None) -> None:
        """`source`: the sandbox's accounts."""
        self._source = source

    def read(self, row: Row) -> Settled | None:
        """Read a row."""
        kind = Kind(row["type"])
        amount = minor_units(row["currency"], row["amount"])
        return Settled(row["id"], kind, row["reference"], row["payment_reference"], amount)

    def movements(self, start: datetime, end: datetime) -> AsyncIterator[Settled] | None:
        """Ask the accounts."""
        return None if self._source is None else self._source.movements(start, end)


class StripeBooks:
    """Stripe's itemized "balance change from activity" report, and the same balance transactions by its API."""

    kinds: Mapping[str, Kind] = MappingProxyType(
        {
            "charge": Kind.CAPTURE,
            "refund": Kind.REFUND,
            "dispute": Kind.CHARGEBACK,
            "dispute_reversal": Kind.CHARGEBACK_REVERSAL,
        }
    )

    def __init__(self, source: Source) -> None:
        """`source`: the gateway."""
        self._source = source

    def read(self, row: Row) -> Settled | None:
        """Read a row; its amounts are decimal."""
        kind = self.kinds.get(row["reporting_category"])
        if kind is None:
            return None
        amount = minor_units(row["currency"], row["gross"])
        reference = row["source_id"] if kind is not Kind.CAPTURE else row["charge_id"]
        return Settled(row["balance_transaction_id"], kind, reference, row["payment_intent_id"], amount)

    def movements(self, start: datetime, end: datetime) -> AsyncIterator[Settled] | None:
        """Ask Stripe."""
        return self._source.movements(start, end)


class AdyenBooks:
    """Adyen's settlement detail report (CSV). Adyen has no API for it, so that files are all there is."""

    _KINDS: Mapping[str, Kind] = MappingProxyType(
        {
            "Settled": Kind.CAPTURE,
            "Refunded": Kind.REFUND,
            "Chargeback": Kind.CHARGEBACK,
            "SecondChargeback": Kind.CHARGEBACK,
            "ChargebackReversed": Kind.CHARGEBACK_REVERSAL,
        }
    )

    def read(self, row: Row) -> Settled | None:
        """Read a row; gross is in two columns, of which the one that doesn't apply is empty."""
        kind = self._KINDS.get(row["Type"])
        if kind is None:
            return None
        gross = row["Gross Credit (GC)"] or row["Gross Debit (GC)"]
        amount = minor_units(row["Gross Currency"], gross)
        modification = row["Modification Reference"]
        return Settled(f"{row['Type']} {modification}", kind, modification, row["Psp Reference"], amount)

    def movements(self, start: datetime, end: datetime) -> AsyncIterator[Settled] | None:  # noqa: ARG002
        """There is nobody to ask."""
        return None


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdecimal()
