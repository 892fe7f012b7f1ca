"""The HTTP routes of sellers' money."""

from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.payments import onboarding
from functions.payments.account_store import AccountStore
from functions.payments.connected_account import AccountRejected
from functions.payments.earning_store import EarningStore
from functions.payments.payment import PaymentsNotConfigured, StripeUnavailable
from functions.payments.payout_gateway import AccountMissing, Refused
from functions.payments.payout_schemas import AccountLinkOut, AccountOut, PayoutPage
from shared import settings
from shared.http import Api, Cursor, Limit
from shared.money import CURRENCIES
from shared.pagination import DEFAULT_LIMIT
from shared.problems import problem_type
from shared.table import Table


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
