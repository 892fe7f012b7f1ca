"""Earnings as CSV: quoted, and no cell is a formula."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.payments.earnings import Earning, Sale
from functions.payments.payment import OrderStatus
from functions.payments.payout_export import HEADER, to_csv
from shared.ids import OrderID, TicketID, UserID
from shared.money import MinorUnits

EARNING = Earning(
    sale=Sale(
        order_id=OrderID("order"),
        seller_id=UserID("seller"),
        ticket_id=TicketID("ticket"),
        title="Row 1, seat 2",
        price=MinorUnits(45_00),
        fee=MinorUnits(2_25),
        currency="usd",
    ),
    order_status=OrderStatus.COMPLETED,
    order_version=3,
    available_at=datetime(2026, 11, 30, 12, tzinfo=UTC),
)


def exported(title: str) -> list[list[str]]:
    sale = replace(EARNING.sale, title=title)
    return [*csv.reader(io.StringIO(to_csv([replace(EARNING, sale=sale)]), newline=""))]


def test_a_row_has_a_cell_for_each_column() -> None:
    header, row = exported("Row 1, seat 2")

    assert tuple(header) == HEADER
    expected = ["order", "ticket", "Row 1, seat 2", "45.00", "2.25", "42.75", "usd", "held"]
    assert row == [*expected, "2026-11-30T12:00:00.000Z", ""]


@pytest.mark.parametrize("title", ['=HYPERLINK("http://a.example")', "+1", "-1", "@SUM(A1)", "\tA", "\rA", "\nA"])
def test_a_title_is_no_formula(title: str) -> None:
    assert exported(title)[1][2] == f"'{title}"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_every_title_stays_in_its_cell(title: str) -> None:
    _, row = exported(title)

    assert len(row) == len(HEADER)
    assert row[2] in (title, f"'{title}")
    assert row[2][:1] not in ("=", "+", "-", "@", "\t", "\r", "\n")
