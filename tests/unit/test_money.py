"""Prices: validation, notation, and the amounts that Stripe charges."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.money import (
    CURRENCIES,
    HIGHEST_PRICE,
    BadPrice,
    Currency,
    FeeRule,
    MinorUnits,
    Price,
    format_amount,
    parse_decimal,
    parse_price,
    to_minor_units,
)

USD, JPY = CURRENCIES["usd"], CURRENCIES["jpy"]

FEES = json.loads(Path(__file__).with_name("fees.json").read_text())
"""Fees of prices, which the form of the web client must show, too (`web/src/rules/fee.test.ts`)."""

currencies = st.sampled_from(list(CURRENCIES.values()))


@pytest.mark.parametrize(
    ("text", "price"),
    [("1.1", "1.10"), ("1", "1.00"), ("1.10", "1.10"), ("0.50", "0.50"), ("007.5", "7.50"), ("999999.99", "999999.99")],
)
def test_a_price_has_the_decimals_of_its_currency(text: str, price: str) -> None:
    assert parse_price(text, USD) == price


def test_a_price_in_yen_has_no_decimals() -> None:
    assert parse_price("500", JPY) == "500"
    for text in ("500.0", "500.00", "500.5"):
        with pytest.raises(BadPrice, match="JPY has 0 decimals"):
            parse_price(text, JPY)


@pytest.mark.parametrize("text", ["1.005", "1.100", "0.500000"])
def test_more_decimals_than_the_currency_has_are_refused(text: str) -> None:
    """Zeros count as decimals."""
    with pytest.raises(BadPrice, match="USD has 2 decimals"):
        parse_price(text, USD)


@pytest.mark.parametrize("text", ["0", "0.00", "0.49", "1000000", "1000000.00", "999999999999"])
def test_a_price_out_of_bounds_is_refused_with_the_bounds(text: str) -> None:
    with pytest.raises(BadPrice, match=r"between 0\.50 and 999999\.99"):
        parse_price(text, USD)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1\n",
        "\n1",
        "1_000",
        "1,000",
        "1,50",
        ".5",
        "5.",
        "1.0.0",
        "1e3",
        "1E3",
        "0x10",
        "NaN",
        "nan",
        "Infinity",
        "inf",
        "\u0661\u0662",
        "\uff11\uff12",
        "\u00b2",
        "$5",
        "5 USD",
        "9" * 13,
        "0." + "1" * 7,
        "9" * 5000,
    ],
)
def test_only_plain_digits_are_a_price(text: str) -> None:
    for currency in (USD, JPY):
        with pytest.raises(BadPrice, match="plain decimal"):
            parse_price(text, currency)


@pytest.mark.parametrize("currency", CURRENCIES.values(), ids=CURRENCIES.keys())
def test_the_lowest_price_is_stripes_minimum_charge(currency: Currency) -> None:
    lowest = format_amount(currency.minimum, currency)

    assert to_minor_units(parse_price(lowest, currency), currency) == currency.minimum
    with pytest.raises(BadPrice):
        parse_price(format_amount(MinorUnits(currency.minimum - 1), currency), currency)


def test_every_price_from_0_01_to_100_is_charged_exactly() -> None:
    for cents in range(1, 10_001):
        price = Price(f"{cents // 100}.{cents % 100:02}")

        assert to_minor_units(price, USD) == cents
        assert format_amount(MinorUnits(cents), USD) == price


def test_a_price_in_yen_is_charged_unchanged() -> None:
    assert to_minor_units(Price("500"), JPY) == 500
    assert format_amount(MinorUnits(500), JPY) == "500"


def test_prices_compare_as_numbers() -> None:
    assert parse_decimal("10") == parse_decimal("10.00") == Decimal(10)
    assert parse_price("10", USD) == parse_price("10.0", USD) == parse_price("10.00", USD)


@given(currencies, st.data())
def test_price_to_amount_to_price_is_the_identity(currency: Currency, data: st.DataObject) -> None:
    highest = int(HIGHEST_PRICE.scaleb(currency.exponent))
    amount = MinorUnits(data.draw(st.integers(currency.minimum, highest)))
    price = format_amount(amount, currency)

    assert parse_price(price, currency) == price
    assert to_minor_units(price, currency) == amount


@given(currencies, st.text() | st.from_regex(r"[0-9]{1,8}(\.[0-9]{1,3})?", fullmatch=True))
def test_any_text_is_either_refused_or_a_chargeable_price(currency: Currency, text: str) -> None:
    try:
        price = parse_price(text, currency)
    except BadPrice:
        return
    assert text.isascii()
    assert Decimal(price) == Decimal(text)
    assert parse_price(price, currency) == price
    assert to_minor_units(price, currency) >= currency.minimum


@pytest.mark.parametrize("case", FEES, ids=lambda case: case["why"])
def test_the_fee_is_rounded_once_half_to_even_and_never_exceeds_the_price(case: dict[str, str]) -> None:
    rule = FeeRule.parse(percent=case["percent"], fixed=case["fixed"])

    assert rule.fee_of(Price(case["price"]), CURRENCIES[case["currency"]]) == case["fee"]


@given(currencies, st.data())
def test_fee_and_rest_are_the_price(currency: Currency, data: st.DataObject) -> None:
    amount = MinorUnits(data.draw(st.integers(currency.minimum, int(HIGHEST_PRICE.scaleb(currency.exponent)))))
    percent, fixed = data.draw(st.decimals(0, 100, places=2)), data.draw(st.decimals(0, 100, places=0))
    price = format_amount(amount, currency)
    fee = to_minor_units(FeeRule(percent=percent, fixed=fixed).fee_of(price, currency), currency)

    assert 0 <= fee <= amount
    exact = Decimal(amount) * percent / 100 + fixed.scaleb(currency.exponent)
    assert abs(Decimal(fee) - min(exact, Decimal(amount))) <= Decimal("0.5")
