"""Earnings as CSV (RFC 4180), safe to open in a spreadsheet: pure."""

import csv
import io
from collections.abc import Iterable, Iterator

from functions.payments.earnings import Earning
from shared import clock
from shared.money import CURRENCIES, format_amount

HEADER = (
    *("order", "ticket", "title", "gross", "fee", "net", "currency"),
    *("status", "available at", "paid at"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A cell that begins with one of these may be executed. Source: OWASP, "CSV Injection"."""


def to_csv(earnings: Iterable[Earning]) -> str:
    """Return the earnings as CSV with a header line, in their order. Lines end with CRLF."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows(map(_cells, earnings))
    return text.getvalue()


def _cells(earning: Earning) -> Iterator[str]:
    sale = earning.sale
    currency = CURRENCIES[sale.currency]
    yield from (sale.order_id, sale.ticket_id, _harmless(sale.title))
    yield from (format_amount(amount, currency) for amount in (sale.price, sale.fee, earning.amount))
    yield from (sale.currency, str(earning.shown), clock.to_rfc3339(earning.available_at))
    yield clock.to_rfc3339(earning.paid_at) if earning.paid_at else ""


def _harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
