"""An order's rules: every transition from every status, and who may hold a ticket."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from functions.orders.order import (
    HeldByBuyer,
    Hold,
    Order,
    OrderError,
    OrderPaid,
    OwnTicket,
    PriceChanged,
    Status,
    Ticket,
    TicketHeld,
    TicketSold,
    TicketWithdrawn,
)
from shared.ids import OrderID, TicketID, UserID
from shared.money import Price

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BUYER = UserID("buyer")
OTHER = UserID("other")
FREE = Ticket(
    id=TicketID("ticket"),
    seller_id=UserID("seller"),
    title="A seat",
    price=Price("12.50"),
    currency="usd",
    hold_number=4,
)


def held(by: UserID, *, until: datetime | None) -> Ticket:
    return replace(FREE, hold=Hold(order_id=OrderID("order"), user_id=by, expires_at=until), hold_number=5)


def order(status: Status = Status.CREATED, ticket: Ticket = FREE) -> Order:
    placed = Order.place(ticket, order_id=OrderID("order"), buyer=BUYER, now=NOW, window=timedelta(minutes=5))
    return replace(placed, status=status)


@pytest.mark.parametrize(
    ("ticket", "refusal"),
    [
        (FREE, None),
        (held(OTHER, until=NOW), None),
        (held(BUYER, until=NOW), None),
        (held(OTHER, until=NOW + timedelta(milliseconds=1)), TicketHeld),
        (held(OTHER, until=None), TicketHeld),
        (held(BUYER, until=NOW + timedelta(milliseconds=1)), HeldByBuyer),
        (held(BUYER, until=None), HeldByBuyer),
        (replace(held(BUYER, until=None), sold=True), TicketSold),
        (replace(FREE, withdrawn=True), TicketWithdrawn),
        (replace(held(BUYER, until=None), withdrawn=True), HeldByBuyer),
        (replace(FREE, seller_id=BUYER), OwnTicket),
        (replace(FREE, price=Price("13.00")), PriceChanged),
    ],
)
def test_who_may_hold_a_ticket_is_decided_by_the_clock(ticket: Ticket, refusal: type[OrderError] | None) -> None:
    def check() -> None:
        ticket.check_can_be_held(buyer=BUYER, shown_price=Decimal("12.5"), now=NOW)

    if refusal is None:
        check()
    else:
        with pytest.raises(refusal):
            check()


def test_placing_counts_the_hold_once_and_a_takeover_twice() -> None:
    assert order(ticket=FREE).ticket.hold == 5
    assert order(ticket=held(OTHER, until=NOW)).ticket.hold == 7


TRANSITIONS = {
    "payment_authorized": {Status.CREATED: Status.AWAITING_PAYMENT},
    "payment_created": {Status.AWAITING_PAYMENT: Status.COMPLETED},
    "payment_failed": {Status.AWAITING_PAYMENT: Status.CANCELLED},
}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("transition", TRANSITIONS)
def test_a_payment_event_moves_the_order_or_is_answered_with_its_state(transition: str, status: Status) -> None:
    before = order(status)
    after: Order = getattr(before, transition)()
    moved_to = TRANSITIONS[transition].get(status)

    assert after.version == before.version + 1
    assert after.status is (moved_to or status)
    assert after.ticket.hold == before.ticket.hold + (1 if moved_to else 0)


@pytest.mark.parametrize("status", Status)
def test_only_a_created_order_expires(status: Status) -> None:
    after = order(status).expire()

    assert (after is not None) == (status is Status.CREATED)
    assert after is None or (after.status, after.reason) == (Status.CANCELLED, "expired")


@pytest.mark.parametrize("status", Status)
def test_only_a_created_order_can_be_cancelled_by_its_buyer(status: Status) -> None:
    if status in (Status.AWAITING_PAYMENT, Status.COMPLETED):
        with pytest.raises(OrderPaid):
            order(status).cancel()
    else:
        after = order(status).cancel()
        assert after is None or (after.status, after.reason) == (Status.CANCELLED, "cancelled_by_buyer")
        assert (after is None) == (status is Status.CANCELLED)


@pytest.mark.parametrize("status", Status)
def test_an_order_is_live_until_its_deadline_and_past_it_only_once_it_is_paid(status: Status) -> None:
    deadline = NOW + timedelta(minutes=5)
    before, after = order(status).is_live(deadline - timedelta(milliseconds=1)), order(status).is_live(deadline)

    assert before == (status is not Status.CANCELLED)
    assert after == (status in (Status.AWAITING_PAYMENT, Status.COMPLETED))
