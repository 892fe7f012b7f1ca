"""The HTTP routes of sellers' money."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BeforeValidator

from functions.payments import onboarding
from functions.payments.account_store import AccountStore
from functions.payments.connected_account import AccountRejected
from functions.payments.earning_store import EarningStore
from functions.payments.payment import PaymentError, PaymentsNotConfigured, StripeUnavailable
from functions.payments.payout_export import to_csv
from functions.payments.payout_gateway import AccountMissing, Refused
from functions.payments.payout_schemas import AccountLinkOut, AccountOut, PayoutPage
from shared import settings
from shared.http import Api, Cursor, Limit
from shared.money import CURRENCIES
from shared.pagination import DEFAULT_LIMIT
from shared.problems import problem_type
from shared.table import Table

MAX_EXPORTED = 5000
"""Entries in one export: with the longest titles 3 MB, of the 6 MB that Lambda returns, and a second of reading."""
CSV: Any = {200: {"description": "OK.", "content": {"text/csv": {"schema": {"type": "string"}}}}}


class ExportTooLarge(PaymentError):
    """The days have more entries than one export."""

    def __init__(self) -> None:
        super().__init__(f"these days have more than {MAX_EXPORTED} entries; ask for fewer days")


def _parse_day(text: str) -> date:
    """Parse a day of this century, in the one form of RFC 3339."""
    if not re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError("must be a day, such as 2026-11-23")
    return date.fromisoformat(text)


Day = Annotated[date, BeforeValidator(_parse_day)]


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the routes; those for Stripe are in `payout_gateway`."""

    table_name: str
    currency: str


def _table() -> Table:
    return Table(settings.load(Settings).table_name)


_NOT_SET_UP = problem_type(
    503, "payments_not_configured", lambda _: {"detail": "payouts are not set up at Stripe for this stage"}
)

api = Api(
    table=_table,
    problems={
        AccountRejected: problem_type(409, "account_rejected"),
        ExportTooLarge: problem_type(400, "export_too_large"),
        StripeUnavailable: problem_type(503, "stripe_unavailable", Retry_After="2"),
        PaymentsNotConfigured: problem_type(503, "payments_not_configured"),
        Refused: _NOT_SET_UP,
        AccountMissing: _NOT_SET_UP,
    },
)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Entry point."""
    return api.handle(event, context)


@api.post("/api/payouts/account")
@api.raises(AccountRejected, StripeUnavailable, PaymentsNotConfigured, Refused, AccountMissing)
@api.idempotent
def connect_account() -> Response[AccountLinkOut]:
    """Connect the caller's account at Stripe, to which earnings are paid: make it if there is none.

    The response has a link to the pages on which Stripe asks for the details that are missing. It works once, until
    `expiresAt`; call this again for another one. However often this is called, a user has one account.
    """
    account, link = onboarding.connect(AccountStore(_table()), api.user.id)
    return api.success(AccountLinkOut.of_link(account, link))


@api.get("/api/payouts/account")
@api.raises()
def get_account() -> AccountOut:
    """Get the status of the caller's account at Stripe. It is read from Stripe while it is not ready."""
    return AccountOut.of(onboarding.get_account(AccountStore(_table()), api.user.id))


@api.get("/api/payouts")
@api.raises()
def list_payouts(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> PayoutPage:
    """List what the caller earns from sold tickets, the newest orders first, with the totals by status."""
    store = EarningStore(_table())
    page = store.of_seller(api.user.id, limit=limit, cursor=cursor)
    return PayoutPage.of(page, store.seller(api.user.id), CURRENCIES[settings.load(Settings).currency])


@api.get("/api/payouts/export", responses=CSV)
@api.raises(ExportTooLarge)
def export_payouts(
    since: Annotated[Day, Query(alias="from")], until: Annotated[Day, Query(alias="to")]
) -> Response[str]:
    """Export what the caller earns as CSV (RFC 4180), for orders placed from one day to another (UTC), both included.

    The first line has the names of the columns. A title that a spreadsheet might take for a formula begins with an
    apostrophe. At most 5,000 entries; ask for fewer days if there are more (400 `export_too_large`).
    """
    after = until + timedelta(days=1)
    found = EarningStore(_table()).between(api.user.id, _midnight(since), _midnight(after), limit=MAX_EXPORTED + 1)
    if len(found) > MAX_EXPORTED:
        raise ExportTooLarge
    headers = {"Content-Disposition": f'attachment; filename="earnings-{since}-{until}.csv"'}
    return Response(200, "text/csv; charset=utf-8", to_csv(found), headers=headers)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
