"""Prices and amounts, by Decimal and the currency's exponent, never by float.

A `Price` is the decimal string that people and events see ("1.10", "500" in yen), always with the currency's decimals,
so that equal prices are equal strings. `MinorUnits` is what Stripe charges: cents, or yen.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import NewType

Price = NewType("Price", str)
MinorUnits = NewType("MinorUnits", int)

NOTHING = MinorUnits(0)

HIGHEST_PRICE = Decimal("999999.99")

PLAIN_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?", re.ASCII)


class BadPrice(ValueError):
    """The text is no price that can be charged in this currency; the message says why."""


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency as Stripe charges it: ISO code in lower case, decimals, smallest charge in minor units."""

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


def parse_price(text: str, currency: Currency) -> Price:
    """The price in its one written form.

    Raises BadPrice unless the text is plain ASCII digits with at most the currency's decimals, between what Stripe can
    charge at least and 999999.99.
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
    """The number that a plain decimal says, in whatever currency. Raises BadPrice."""
    if not PLAIN_DECIMAL.fullmatch(text):
        raise BadPrice('must be a plain decimal number such as "12.50"')
    return Decimal(text)


def to_minor_units(price: Price, currency: Currency) -> MinorUnits:
    """What Stripe is asked to charge for this price."""
    return MinorUnits(int(Decimal(price).scaleb(currency.exponent)))


def format_amount(amount: MinorUnits, currency: Currency) -> Price:
    """The amount with the currency's decimals."""
    return Price(f"{Decimal(amount).scaleb(-currency.exponent):.{currency.exponent}f}")
