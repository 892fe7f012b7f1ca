"""Prices and amounts, computed with Decimal and the currency's exponent, never with float.

A `Price` is the decimal string in the API and in events ("1.10", or "500" in yen). It always has the currency's
decimals, so that equal prices are equal strings. `MinorUnits` is the integer unit of Stripe: cents, or yen.
"""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NewType

Price = NewType("Price", str)
MinorUnits = NewType("MinorUnits", int)

NOTHING = MinorUnits(0)

HIGHEST_PRICE = Decimal("999999.99")

PLAIN_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?", re.ASCII)


class BadPrice(ValueError):
    """The text is not a price that can be charged in this currency; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency at Stripe: lower-case ISO code, number of decimals, minimum charge in minor units."""

    code: str
    exponent: int
    minimum: MinorUnits


# Stripe, "Supported currencies": minimum charge amounts and zero-decimal currencies.
CURRENCIES = {
    code: Currency(code, exponent, MinorUnits(minimum))
    for code, exponent, minimum in (
        ("aud", 2, 50),
        ("brl", 2, 50),
        ("cad", 2, 50),
        ("chf", 2, 50),
        ("czk", 2, 15_00),
        ("dkk", 2, 2_50),
        ("eur", 2, 50),
        ("gbp", 2, 30),
        ("hkd", 2, 4_00),
        ("inr", 2, 50),
        ("jpy", 0, 50),
        ("mxn", 2, 10_00),
        ("nok", 2, 3_00),
        ("nzd", 2, 50),
        ("pln", 2, 2_00),
        ("ron", 2, 2_00),
        ("sek", 2, 3_00),
        ("sgd", 2, 50),
        ("usd", 2, 50),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeRule:
    """The marketplace's fee on a sale: `percent` of the price, and a `fixed` part in the currency's main unit."""

    percent: Decimal
    fixed: Decimal

    @classmethod
    def parse(cls, *, percent: str, fixed: str) -> "FeeRule":
        """Read the rule from two plain decimals. Raises BadPrice."""
        return cls(percent=parse_decimal(percent), fixed=parse_decimal(fixed))

    def fee_of(self, price: Price, currency: Currency) -> Price:
        """Return the fee on a price: rounded once, half to even, to minor units, and never more than the price."""
        exact = Decimal(price) * self.percent / 100 + self.fixed
        rounded = exact.scaleb(currency.exponent).to_integral_value(rounding=ROUND_HALF_EVEN)
        return format_amount(MinorUnits(min(int(rounded), to_minor_units(price, currency))), currency)


def parse_price(text: str, currency: Currency) -> Price:
    """Return the price in canonical form.

    Raises BadPrice unless the text is a plain decimal in ASCII with no more decimals than the currency has, between
    Stripe's minimum charge and 999999.99.
    """
    amount = parse_decimal(text)
    decimals = len(text.partition(".")[2])
    if decimals > currency.exponent:
        raise BadPrice(f"{currency.code.upper()} has {currency.exponent} decimals")
    lowest = format_amount(currency.minimum, currency)
    if not Decimal(lowest) <= amount <= HIGHEST_PRICE:
        raise BadPrice(f"must be between {lowest} and {HIGHEST_PRICE}")
    return Price(f"{amount:.{currency.exponent}f}")


def parse_decimal(text: str) -> Decimal:
    """Parse a plain decimal, for any currency. Raises BadPrice."""
    if not PLAIN_DECIMAL.fullmatch(text):
        raise BadPrice('must be a plain decimal number such as "12.50"')
    return Decimal(text)


def to_minor_units(price: Price, currency: Currency) -> MinorUnits:
    """Convert a price to the amount in minor units."""
    return MinorUnits(int(Decimal(price).scaleb(currency.exponent)))


def format_amount(amount: MinorUnits, currency: Currency) -> Price:
    """Convert an amount in minor units to a price with the currency's decimals."""
    return Price(f"{Decimal(amount).scaleb(-currency.exponent):.{currency.exponent}f}")
