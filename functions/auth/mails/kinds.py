"""Each kind of mail, with the data that it shows. The texts are in `texts`.

Times of validity and tokens come from the caller. Prices are those of the API: decimal strings with a currency code.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from shared.ids import OrderID, TicketID


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail to one user. `page` is the page of the client to which it links."""

    page: ClassVar[str]
    """A path with placeholders for fields. A token is in the fragment, which browsers send to no server."""
    proves_address: ClassVar[bool] = False
    """Whether its link proves that the address is the reader's. It is sent to any address, and is useless once its
    token has expired; all other mails are sent to proven addresses only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyAddress(Mail):
    """A link that proves the address of a new account."""

    page = "/verify#$token"
    proves_address = True
    token: str = field(repr=False)
    life: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetPassword(Mail):
    """A link that sets a new password."""

    page = "/reset#$token"
    proves_address = True
    token: str = field(repr=False)
    life: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChanged(Mail):
    """A notice that the password is a new one."""

    page = "/forgot"
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChangeRequested(Mail):
    """A notice to the old address. It does not name the new one."""

    page = "/account"
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmNewAddress(Mail):
    """A link that proves the new address of an account."""

    page = "/verify#$token"
    proves_address = True
    token: str = field(repr=False)
    life: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDevice(Mail):
    """A notice of a sign-in from a device that is unknown to the user. `client` is the device in words."""

    page = "/account"
    client: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCompleted(Mail):
    """The receipt of a buyer."""

    page = "/orders/$order_id"
    order_id: OrderID
    title: str
    price: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNotPaid(Mail):
    """The order of a buyer has ended because its payment failed."""

    page = "/orders/$order_id"
    order_id: OrderID
    title: str
    price: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketSold(Mail):
    """A seller's ticket is sold."""

    page = "/tickets/$ticket_id"
    ticket_id: TicketID
    title: str
    price: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefunded(Mail):
    """Money of an order returns to the buyer. `amount` is the total so far, which may be less than the price."""

    page = "/orders/$order_id"
    order_id: OrderID
    title: str
    amount: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutSent(Mail):
    """A seller's earnings from a ticket were sent to the seller's account at Stripe."""

    page = "/payouts"
    title: str
    amount: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutReversed(Mail):
    """Earnings were taken back from a seller's account. `amount` is the total so far."""

    page = "/payouts"
    title: str
    amount: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAsked(Mail):
    """The buyer of a seller's ticket asks for a refund. Only the ticket's page has the reason, a user's text."""

    page = "/tickets/$ticket_id"
    ticket_id: TicketID
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleRefunded(Mail):
    """The sale of a seller's ticket was refunded in full."""

    page = "/tickets/$ticket_id"
    ticket_id: TicketID
    title: str
    amount: str
    currency: str
