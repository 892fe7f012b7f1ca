"""Response bodies of the routes of sellers' money."""

from typing import Literal, Self

from pydantic import Field

from functions.payments.connected_account import AccountStatus, ConnectedAccount
from functions.payments.earning_store import Seller
from functions.payments.earnings import Earning, EarningStatus
from functions.payments.payout_gateway import OnboardingLink
from shared.http import Instant, Output
from shared.ids import OrderID, TicketID
from shared.money import CURRENCIES, Currency, MinorUnits, Price, format_amount
from shared.pagination import Page


def _is_absent(value: object) -> bool:
    return value is None


class AccountOut(Output):
    """A seller's account at Stripe.

    `none`: there is none. `incomplete`: details are missing, or Stripe is checking them. `ready`: earnings are sent to
    it. `restricted`: it can receive nothing until more details are entered, or at all. `requirements` says in plain
    words what is missing.
    """

    status: AccountStatus
    requirements: list[str]

    @classmethod
    def of(cls, account: ConnectedAccount | None) -> Self:
        """Build the seller's view of the account."""
        if account is None:
            return cls(status=AccountStatus.NONE, requirements=[])
        return cls(status=account.status, requirements=[*account.requirements])


class AccountLinkOut(AccountOut):
    """A seller's account with a link to Stripe's pages, which works once, until `expiresAt`."""

    url: str
    expiresAt: Instant

    @classmethod
    def of_link(cls, account: ConnectedAccount, link: OnboardingLink) -> Self:
        """Build the response with the link."""
        return cls(
            status=account.status,
            requirements=[*account.requirements],
            url=link.url,
            expiresAt=link.expires_at,
        )


class PaidTicketOut(Output):
    """The ticket that was sold."""

    id: TicketID
    title: str


class PayoutOut(Output):
    """What the caller earns from one order.

    `gross` is the price, `fee` what the marketplace keeps of it. `net` is what the seller has, is to get, or does not
    get, as `status` says; a refund of a part is subtracted. Earnings are `held` until `availableAt`, and looked at
    within minutes after it. `due` ones are sent as soon as the seller's account is ready, `blocked` ones when a dispute
    or a refund has ended.
    """

    orderID: OrderID
    ticket: PaidTicketOut
    gross: Price
    fee: Price
    net: Price
    currency: str
    status: Literal["held", "due", "paid", "reversed", "cancelled", "blocked"]
    availableAt: Instant
    paidAt: Instant | None = Field(None, exclude_if=_is_absent)

    @classmethod
    def of(cls, earning: Earning) -> Self:
        """Build the seller's view of the earnings from an order."""
        sale = earning.sale
        currency = CURRENCIES[sale.currency]
        return cls.model_validate(
            {
                "orderID": sale.order_id,
                "ticket": {"id": sale.ticket_id, "title": sale.title},
                "gross": format_amount(sale.price, currency),
                "fee": format_amount(sale.fee, currency),
                "net": format_amount(earning.amount, currency),
                "currency": sale.currency,
                "status": earning.shown,
                "availableAt": earning.available_at,
                "paidAt": earning.paid_at,
            }
        )


class TotalsOut(Output):
    """The sums of `net` by status, of all earnings in the currency of the marketplace."""

    held: Price
    due: Price
    paid: Price
    reversed: Price
    cancelled: Price
    blocked: Price
    currency: str

    @classmethod
    def of(cls, seller: Seller, currency: Currency) -> Self:
        """Build the seller's view of the totals."""
        sums = {
            status: format_amount(MinorUnits(seller.totals[currency.code, status]), currency)
            for status in EarningStatus
            if status.shown is status
        }
        return cls.model_validate({**sums, "currency": currency.code})


class PayoutPage(Output):
    """A page of the caller's earnings, those from the newest orders first, and the totals of all of them."""

    payouts: list[PayoutOut]
    totals: TotalsOut
    nextCursor: str | None

    @classmethod
    def of(cls, page: Page[Earning], seller: Seller, currency: Currency) -> Self:
        """Build the response from a page of earnings and the totals."""
        return cls(
            payouts=[PayoutOut.of(each) for each in page.entries],
            totals=TotalsOut.of(seller, currency),
            nextCursor=page.next_cursor,
        )
