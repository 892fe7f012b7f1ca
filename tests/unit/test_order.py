"""An order's rules: every transition from every status, and who may hold a ticket."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from functions.orders.order import (
    ANSWER_WITHIN,
    REPUBLISH_AFTER,
    Decision,
    DeclineReason,
    HeldByBuyer,
    Hold,
    HoldableTicket,
    HoldState,
    Order,
    OrderError,
    OrderNotCompleted,
    OrderPaid,
    OrderRefunded,
    OrderStatus,
    OwnTicket,
    PriceChanged,
    RefundRequested,
    RequestedChange,
    TicketHeld,
    TicketSold,
    TicketWithdrawn,
)
from shared.ids import OrderID, TicketID, UserID
from shared.money import FeeRule, MinorUnits, Price
from shared.refunds import Refund, RefundDecision, RefundRequest

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BUYER = UserID("buyer")
OTHER = UserID("other")
FEE = FeeRule.parse(percent="5", fixed="0.50")
FREE = HoldableTicket(
    id=TicketID("ticket"),
    seller_id=UserID("seller"),
    title="A seat",
    price=Price("12.50"),
    currency="usd",
    hold_version=4,
)


def held(by: UserID, *, until: datetime | None) -> HoldableTicket:
    return replace(FREE, hold=Hold(order_id=OrderID("order"), user_id=by, expires_at=until), hold_version=5)


def order(status: OrderStatus = OrderStatus.CREATED, ticket: HoldableTicket = FREE) -> Order:
    placed = Order.place(
        ticket, order_id=OrderID("order"), buyer=BUYER, fee=FEE, now=NOW, deadline=NOW + timedelta(minutes=5)
    )
    return replace(placed, status=status)


def test_an_order_keeps_its_seller_and_its_fee() -> None:
    placed = order(ticket=replace(FREE, price=Price("12.50")))

    assert (placed.ticket.seller_id, placed.ticket.fee) == ("seller", "1.12")  # 1.125, half to even


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
def test_the_clock_decides_who_may_hold_a_ticket(ticket: HoldableTicket, refusal: type[OrderError] | None) -> None:
    def check() -> None:
        ticket.check_can_be_held(buyer=BUYER, shown_price=Decimal("12.5"), now=NOW)

    if refusal is None:
        check()
    else:
        with pytest.raises(refusal):
            check()


def test_placing_raises_the_hold_version_by_one_takeover_by_two() -> None:
    assert order(ticket=FREE).ticket.hold_version == 5
    assert order(ticket=held(OTHER, until=NOW)).ticket.hold_version == 7


TRANSITIONS = {
    "payment_authorized": {OrderStatus.CREATED: OrderStatus.AWAITING_PAYMENT},
    "payment_created": {
        OrderStatus.CREATED: OrderStatus.COMPLETED,
        OrderStatus.AWAITING_PAYMENT: OrderStatus.COMPLETED,
    },
    "payment_failed": {OrderStatus.AWAITING_PAYMENT: OrderStatus.CANCELLED},
}


@pytest.mark.parametrize("status", OrderStatus)
@pytest.mark.parametrize("transition", TRANSITIONS)
def test_a_payment_event_moves_the_order_or_republishes_it(transition: str, status: OrderStatus) -> None:
    before = order(status)
    after: Order = getattr(before, transition)()
    moved_to = TRANSITIONS[transition].get(status)

    assert after.version == before.version + 1
    assert after.status is (moved_to or status)
    assert after.ticket.hold_version == before.ticket.hold_version + (1 if moved_to else 0)


def refunded(before: Order, amount: int | None, *, in_full: bool) -> Order | None:
    return before.payment_refunded(
        None if amount is None else MinorUnits(amount), in_full=in_full, reason="refunded_at_stripe", now=NOW
    )


@pytest.mark.parametrize("status", OrderStatus)
@pytest.mark.parametrize("in_full", [True, False])
def test_only_a_completed_order_is_refunded(status: OrderStatus, *, in_full: bool) -> None:
    before = order(status)
    after = refunded(before, 1250 if in_full else 500, in_full=in_full)

    match status:
        case OrderStatus.COMPLETED:
            assert after is not None
            assert after.status is (OrderStatus.REFUNDED if in_full else OrderStatus.COMPLETED)
            assert after.refund == Refund(
                amount=Price("12.50" if in_full else "5.00"), reason="refunded_at_stripe", at=NOW
            )
            assert (after.version, after.ticket.hold_version) == (before.version + 1, before.ticket.hold_version + 1)
        case OrderStatus.REFUNDING:
            assert after is not None
            assert after.status is (OrderStatus.REFUNDED if in_full else OrderStatus.REFUNDING)
        case OrderStatus.REFUNDED:
            assert after == replace(before, version=before.version + 1), "the event is only published again"
        case _:
            assert after is None


def test_a_refund_grows_until_it_is_full_and_never_shrinks() -> None:
    partly = refunded(order(OrderStatus.COMPLETED), 500, in_full=False)
    assert partly is not None
    for late in (500, 300):
        assert refunded(partly, late, in_full=False) == replace(partly, version=partly.version + 1)
    more = refunded(partly, 1000, in_full=False)
    assert more is not None
    full = refunded(more, 1250, in_full=True)
    assert full is not None

    assert [each.refund.amount for each in (partly, more, full) if each.refund] == ["5.00", "10.00", "12.50"]
    assert [each.ticket.hold_version for each in (partly, more, full)] == [6, 7, 8]
    assert refunded(full, 500, in_full=False) == replace(full, version=full.version + 1)


def test_a_refund_without_an_amount_is_of_the_whole_price() -> None:
    after = refunded(order(OrderStatus.COMPLETED), None, in_full=True)

    assert after is not None
    assert after.refund is not None
    assert after.refund.amount == "12.50"


@pytest.mark.parametrize("status", OrderStatus)
def test_only_a_created_order_expires(status: OrderStatus) -> None:
    after = order(status).expire()

    assert (after is not None) == (status is OrderStatus.CREATED)
    assert after is None or (after.status, after.reason) == (OrderStatus.CANCELLED, "expired")


@pytest.mark.parametrize("status", OrderStatus)
def test_only_a_created_order_can_be_cancelled_by_its_buyer(status: OrderStatus) -> None:
    if status not in (OrderStatus.CREATED, OrderStatus.CANCELLED):
        with pytest.raises(OrderPaid):
            order(status).cancel()
    else:
        after = order(status).cancel()
        assert after is None or (after.status, after.reason) == (OrderStatus.CANCELLED, "cancelled_by_buyer")
        assert (after is None) == (status is OrderStatus.CANCELLED)


@pytest.mark.parametrize("status", OrderStatus)
def test_only_a_paid_order_is_live_past_its_deadline(status: OrderStatus) -> None:
    deadline = NOW + timedelta(minutes=5)
    before, after = order(status).is_live(deadline - timedelta(milliseconds=1)), order(status).is_live(deadline)

    assert before == (status not in (OrderStatus.CANCELLED, OrderStatus.REFUNDED))
    assert after == (status in (OrderStatus.AWAITING_PAYMENT, OrderStatus.COMPLETED, OrderStatus.REFUNDING))


LATER = NOW + timedelta(days=1)


def refunding(after: Order | None = None) -> Order:
    decided = (after or order(OrderStatus.COMPLETED)).refund_by_seller("It is cancelled", now=LATER)
    assert decided
    return decided


@pytest.mark.parametrize("status", OrderStatus)
def test_a_seller_can_refund_a_completed_order_once(status: OrderStatus) -> None:
    match status:
        case OrderStatus.COMPLETED:
            before = order(status)
            assert refunding() == replace(
                before,
                status=OrderStatus.REFUNDING,
                version=before.version + 1,
                ticket=replace(before.ticket, hold_version=before.ticket.hold_version + 1),
                refund_decision=RefundDecision(at=LATER, reason="It is cancelled"),
                due_at=LATER + REPUBLISH_AFTER,
            )
        case OrderStatus.REFUNDING:
            assert order(status).refund_by_seller(None, now=LATER) is None
        case OrderStatus.REFUNDED:
            with pytest.raises(OrderRefunded):
                order(status).refund_by_seller(None, now=LATER)
        case _:
            with pytest.raises(OrderNotCompleted):
                order(status).refund_by_seller(None, now=LATER)


def test_a_decided_refund_keeps_the_ticket_until_the_money_has_gone_back() -> None:
    before = refunding()
    partly = refunded(before, 500, in_full=False)
    assert partly
    after = refunded(partly, 1250, in_full=True)
    assert after

    assert [each.hold_state for each in (before, partly, after)] == [HoldState.SOLD, HoldState.SOLD, HoldState.RETURNED]
    assert [each.status for each in (partly, after)] == [OrderStatus.REFUNDING, OrderStatus.REFUNDED]
    assert (partly.due_at, after.due_at) == (LATER + REPUBLISH_AFTER, None)
    assert [each.refund and each.refund.reason for each in (partly, after)] == ["refunded_by_seller"] * 2


def test_a_dispute_that_is_lost_while_refunding_keeps_its_reason() -> None:
    after = refunding().payment_refunded(MinorUnits(1250), in_full=True, reason="dispute_lost", now=LATER)

    assert after
    assert after.refund
    assert (after.status, after.refund.reason) == (OrderStatus.REFUNDED, "dispute_lost")


def test_a_part_that_was_refunded_before_stays_recorded() -> None:
    partly = refunded(order(OrderStatus.COMPLETED), 500, in_full=False)

    assert refunding(partly).refund == (partly and partly.refund)


@pytest.mark.parametrize("status", OrderStatus)
def test_a_buyer_can_ask_for_a_refund_of_a_completed_order(status: OrderStatus) -> None:
    def ask() -> Order:
        return order(status).request_refund("I am ill", now=LATER)

    match status:
        case OrderStatus.COMPLETED:
            after = ask()
            assert after.refund_request == RefundRequest(reason="I am ill", at=LATER)
            assert (after.status, after.due_at) == (status, LATER + ANSWER_WITHIN)
        case OrderStatus.REFUNDING | OrderStatus.REFUNDED:
            with pytest.raises(OrderRefunded):
                ask()
        case _:
            with pytest.raises(OrderNotCompleted):
                ask()


def test_a_buyer_asks_for_a_refund_once() -> None:
    asked = order(OrderStatus.COMPLETED).request_refund("I am ill", now=LATER)

    with pytest.raises(RefundRequested):
        asked.request_refund("I am ill", now=LATER)


def test_a_request_is_looked_at_once_after_three_days() -> None:
    asked = order(OrderStatus.COMPLETED).request_refund("I am ill", now=LATER)
    moment, due = timedelta(milliseconds=1), LATER + ANSWER_WITHIN

    assert asked.look_again(due - moment) is None
    assert not asked.is_unanswered(due - moment)
    assert asked.is_unanswered(due)
    after = asked.look_again(due)
    assert after == replace(asked, version=asked.version + 1, due_at=None)
    assert not after.is_unanswered(LATER + 2 * ANSWER_WITHIN)


def test_a_request_that_was_granted_is_not_unanswered() -> None:
    granted = refunding(order(OrderStatus.COMPLETED).request_refund("I am ill", now=NOW))

    assert granted.refund_request
    assert not granted.is_unanswered(NOW + 2 * ANSWER_WITHIN)


@pytest.mark.parametrize(
    ("after", "wait"),
    [
        (REPUBLISH_AFTER, REPUBLISH_AFTER),
        (timedelta(hours=2), timedelta(hours=2)),
        (timedelta(days=9), timedelta(days=1)),
    ],
)
def test_an_order_that_stays_refunding_is_published_again_less_and_less_often(
    after: timedelta, wait: timedelta
) -> None:
    before, now = refunding(), LATER + after

    assert before.look_again(LATER + REPUBLISH_AFTER - timedelta(milliseconds=1)) is None
    assert before.look_again(now) == replace(before, version=before.version + 1, due_at=now + wait)


def test_a_refund_is_overdue_after_a_day() -> None:
    before, due = refunding(), LATER + timedelta(days=1)

    assert not before.is_refund_overdue(due - timedelta(milliseconds=1))
    assert before.is_refund_overdue(due)
    assert not replace(before, status=OrderStatus.REFUNDED).is_refund_overdue(due)


CHANGE = RequestedChange(
    id="change",
    ticket_id=FREE.id,
    seller_id=FREE.seller_id,
    version=2,
    title="Two seats",
    price=Price("30.00"),
    currency="usd",
    withdrawn=False,
)
CHANGED = replace(
    FREE,
    title="Two seats",
    price=Price("30.00"),
    version=2,
    decision=Decision(change_id="change", number=1, version=2, reason=None),
)


def test_a_change_of_a_free_ticket_is_accepted() -> None:
    assert FREE.decide(CHANGE, now=NOW) == CHANGED


@pytest.mark.parametrize(("relisted", "withdrawn"), [(True, False), (False, True)])
def test_only_a_relisting_puts_a_withdrawn_ticket_on_sale(*, relisted: bool, withdrawn: bool) -> None:
    """An edit that was requested before the refund may arrive after it."""
    after = replace(FREE, withdrawn=True).decide(replace(CHANGE, relisted=relisted), now=NOW)

    assert after
    assert (after.withdrawn, after.title) == (withdrawn, "Two seats")


def test_a_withdrawal_of_a_free_ticket_is_accepted() -> None:
    after = FREE.decide(replace(CHANGE, withdrawn=True), now=NOW)

    assert after
    assert after.withdrawn


def test_a_change_past_the_deadline_is_accepted() -> None:
    """The lapsed hold is freed."""
    after = held(OTHER, until=NOW).decide(CHANGE, now=NOW)

    assert after == replace(CHANGED, hold=None, hold_version=6)
    assert after.hold_version == order(ticket=FREE).expire().ticket.hold_version  # type: ignore[union-attr]  # it is created


@pytest.mark.parametrize(
    ("ticket", "reason"),
    [
        (held(OTHER, until=NOW + timedelta(milliseconds=1)), "held"),
        (held(OTHER, until=None), "held"),
        (replace(held(OTHER, until=None), sold=True), "sold"),
    ],
)
def test_a_change_is_declined_while_an_order_has_the_ticket(ticket: HoldableTicket, reason: DeclineReason) -> None:
    decision = Decision(change_id="change", number=1, version=2, reason=reason)

    assert ticket.decide(CHANGE, now=NOW) == replace(ticket, decision=decision)


def test_a_decided_change_gets_the_same_decision_again() -> None:
    """The decision gets the next number."""
    declined = held(OTHER, until=NOW + timedelta(minutes=1)).decide(CHANGE, now=NOW)
    assert declined
    assert declined.decision
    later = NOW + timedelta(hours=1)

    again = declined.decide(replace(CHANGE, version=4), now=later)
    assert again == replace(declined, decision=replace(declined.decision, number=2))


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_older_change_request_is_ignored(version: int) -> None:
    """A request is older if the last ticket event or decision has a later version."""
    last = Decision(change_id="last", number=1, version=3, reason="held")

    assert replace(FREE, decision=last).decide(replace(CHANGE, version=version), now=NOW) is None
    assert replace(FREE, version=3).decide(replace(CHANGE, version=version), now=NOW) is None


def test_an_unknown_ticket_is_taken_from_the_change_request() -> None:
    after = HoldableTicket.from_change(CHANGE).decide(CHANGE, now=NOW)

    assert after == replace(CHANGED, hold_version=0)
