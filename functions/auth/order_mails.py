"""Which events of other services are reported to a user, and as which mail. Pure.

A key names the order, not the event: Orders publishes an order's state again under a new id when an event of a payment
arrives twice. No mail reports an order or a refund that is older than REPORTED_FOR, so nobody gets one when operators
republish the events of years.
"""

from datetime import datetime, timedelta

from functions.auth.mails import kinds
from functions.auth.mails.kinds import Mail
from functions.auth.mails.request import MailRequest
from shared import clock
from shared.events import (
    Data,
    OrderCancelled,
    OrderCompleted,
    OrderEvent,
    OrderRefunded,
    PayoutCreated,
    PayoutEvent,
    PayoutReversed,
    Refund,
    RefundRequest,
    TicketUpdated,
)
from shared.ids import OrderID, UserID, created_at_millis

REPORTED_FOR = timedelta(days=30)


def mail_of(event: Data) -> MailRequest | None:
    """Return the mail that reports an event, or None for an event that is not reported."""
    match event:
        case OrderCompleted(refund=Refund() as refund) | OrderRefunded(refund=refund):
            return _refund(event, refund)
        case OrderCompleted():
            return _to_buyer(event, kinds.OrderCompleted)
        case OrderCancelled(reason="payment_failed"):
            return _to_buyer(event, kinds.OrderNotPaid)
        case TicketUpdated(change="sold", orderID=str() as order_id):
            sold = kinds.TicketSold(
                ticket_id=event.id, title=event.title, price=event.price, currency=event.currency.upper()
            )
            return _request(sold, order_id, to=event.userID, since=_placed(order_id))
        case TicketUpdated(
            change="refund-requested", orderID=str() as order_id, refundRequest=RefundRequest() as asked
        ):
            asking = kinds.RefundAsked(ticket_id=event.id, title=event.title)
            return _request(asking, order_id, to=event.userID, since=asked.at)
        case TicketUpdated(change="refunded", status="withdrawn", orderID=str() as order_id, refund=Refund() as refund):
            refunded = kinds.SaleRefunded(
                ticket_id=event.id, title=event.title, amount=refund.amount, currency=event.currency.upper()
            )
            return _request(refunded, order_id, to=event.userID, since=refund.at)
        case PayoutCreated(at=datetime() as at):
            return _to_seller(event, kinds.PayoutSent, at)
        case PayoutReversed(at=datetime() as at):
            return _to_seller(event, kinds.PayoutReversed, at)
    return None


def _to_seller(event: PayoutEvent, kind: type[kinds.PayoutSent | kinds.PayoutReversed], at: datetime) -> MailRequest:
    """Each higher total that was taken back is a mail of its own."""
    mail = kind(title=event.ticket.title, amount=event.amount, currency=event.currency.upper())
    return _request(mail, f"{event.id}#{event.amount}", to=event.userID, since=at)


def _to_buyer(event: OrderEvent, kind: type[kinds.OrderCompleted | kinds.OrderNotPaid]) -> MailRequest:
    ticket = event.ticket
    mail = kind(order_id=event.id, title=ticket.title, price=ticket.price, currency=ticket.currency.upper())
    return _request(mail, event.id, to=event.userID, since=_placed(event.id))


def _refund(event: OrderEvent, refund: Refund) -> MailRequest:
    """Each higher total is a mail of its own."""
    ticket = event.ticket
    mail = kinds.OrderRefunded(
        order_id=event.id, title=ticket.title, amount=refund.amount, currency=ticket.currency.upper()
    )
    return _request(mail, f"{event.id}#{refund.amount}", to=event.userID, since=refund.at)


def _request(mail: Mail, fact: str, *, to: UserID, since: datetime) -> MailRequest:
    key = f"{type(mail).__name__}#{fact}"
    return MailRequest(key=key, user_id=to, mail=mail, send_by=since + REPORTED_FOR)


def _placed(order_id: OrderID) -> datetime:
    return clock.from_millis(created_at_millis(order_id))
