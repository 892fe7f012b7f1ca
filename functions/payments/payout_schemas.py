"""Response bodies of the routes of sellers' money."""

from typing import Self

from functions.payments.connected_account import AccountStatus, ConnectedAccount
from functions.payments.payout_gateway import OnboardingLink
from shared.http import Instant, Output


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
