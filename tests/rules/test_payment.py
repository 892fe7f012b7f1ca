"""A payment's rules: what each order status asks of each PaymentIntent, and what each observation tells."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.payments.payment import (
    ABANDONED_AFTER,
    RECORDED_WITHIN,
    Duty,
    Intent,
    IntentStatus,
    NotRecordedYet,
    Order,
    OrderCancelled,
    OrderExpired,
    OrderStatus,
    Payment,
    PaymentError,
    PaymentOver,
    Status,
    Telling,
    duty_of_unrecorded,
)
from shared.ids import OrderID, PaymentID, UserID
from shared.money import MinorUnits

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def payment(
    order: OrderStatus,
    status: Status | None = Status.OPEN,
    *,
    paid_at: datetime | None = None,
    refunded: int = 0,
    known: int = 0,
) -> Payment:
    """`known` is how much of the refund Orders has recorded."""
    return Payment(
        order=Order(
            id=OrderID("order"),
            user_id=UserID("buyer"),
            status=order,
            expires_at=NOW + timedelta(minutes=5),
            amount=MinorUnits(1250),
            currency="usd",
            version=3,
            refunded=MinorUnits(known),
        ),
        id=PaymentID("payment"),
        stripe_id="pi_1",
        client_secret="secret",
        status=status,
        refunded=MinorUnits(refunded),
        paid_at=paid_at,
    )


def intent(status: IntentStatus, *, refunded: int = 0, lost: int = 0, with_the_bank: bool = False) -> Intent:
    return Intent(
        id="pi_1",
        status=status,
        client_secret="secret",
        created_at=NOW,
        stage="test",
        order_id=OrderID("order"),
        captured=MinorUnits(1250 if status is IntentStatus.SUCCEEDED else 0),
        refunded=MinorUnits(refunded),
        lost=MinorUnits(lost),
        with_the_bank=with_the_bank,
    )


DUTIES = {
    (OrderStatus.AWAITING_PAYMENT, IntentStatus.AUTHORIZED): Duty.CAPTURE,
    (OrderStatus.AWAITING_PAYMENT, IntentStatus.UNCONFIRMED): Duty.VOID,
    (OrderStatus.CANCELLED, IntentStatus.UNCONFIRMED): Duty.VOID,
    (OrderStatus.CANCELLED, IntentStatus.AUTHORIZED): Duty.VOID,
    (OrderStatus.CANCELLED, IntentStatus.SUCCEEDED): Duty.REFUND,
}


@pytest.mark.parametrize("intent_status", IntentStatus)
@pytest.mark.parametrize("order_status", OrderStatus)
def test_money_moves_only_as_the_orders_status_asks(order_status: OrderStatus, intent_status: IntentStatus) -> None:
    duty = payment(order_status).duty(intent(intent_status), NOW)

    assert duty is DUTIES.get((order_status, intent_status))


@pytest.mark.parametrize("order_status", OrderStatus)
@pytest.mark.parametrize("status", [None, *Status])
def test_money_is_due_where_it_is_held_and_its_order_waits_for_it(
    order_status: OrderStatus, status: Status | None
) -> None:
    is_due = payment(order_status, status).is_due()
    assert is_due is (order_status is OrderStatus.AWAITING_PAYMENT and status is Status.AUTHORIZED)


@pytest.mark.parametrize(
    ("order_status", "status", "seen", "agrees"),
    [
        (OrderStatus.CREATED, Status.OPEN, IntentStatus.UNCONFIRMED, True),
        (OrderStatus.CREATED, Status.OPEN, IntentStatus.AUTHORIZED, False),  # to be told
        (OrderStatus.CREATED, Status.AUTHORIZED, IntentStatus.AUTHORIZED, True),
        (OrderStatus.AWAITING_PAYMENT, Status.AUTHORIZED, IntentStatus.AUTHORIZED, False),  # to be captured
        (OrderStatus.AWAITING_PAYMENT, Status.CAPTURED, IntentStatus.SUCCEEDED, True),
        (OrderStatus.COMPLETED, Status.CAPTURED, IntentStatus.SUCCEEDED, True),
        (OrderStatus.CANCELLED, Status.AUTHORIZED, IntentStatus.AUTHORIZED, False),  # to be voided
        (OrderStatus.CANCELLED, Status.CAPTURED, IntentStatus.SUCCEEDED, False),  # to be refunded
        (OrderStatus.CANCELLED, Status.VOIDED, IntentStatus.CANCELED, True),
    ],
)
def test_a_payment_agrees_with_a_payment_intent_that_asks_for_nothing(
    order_status: OrderStatus, status: Status, seen: IntentStatus, *, agrees: bool
) -> None:
    reason = "order_cancelled" if status is Status.VOIDED else None
    assert replace(payment(order_status, status), reason=reason).agrees_with(intent(seen), NOW) is agrees


@pytest.mark.parametrize(
    "gone",
    [
        intent(IntentStatus.SUCCEEDED, refunded=1250),
        intent(IntentStatus.SUCCEEDED, lost=1250),
        intent(IntentStatus.SUCCEEDED, lost=300),
        intent(IntentStatus.SUCCEEDED, with_the_bank=True),
    ],
)
def test_money_that_went_back_already_is_not_refunded_again(gone: Intent) -> None:
    assert payment(OrderStatus.CANCELLED).duty(gone, NOW) is None


def test_what_is_left_after_a_partial_refund_goes_back_too() -> None:
    partly = intent(IntentStatus.SUCCEEDED, refunded=500)

    assert payment(OrderStatus.CANCELLED).duty(partly, NOW) is Duty.REFUND
    assert payment(OrderStatus.COMPLETED).duty(partly, NOW) is None


@pytest.mark.parametrize("intent_status", IntentStatus)
@pytest.mark.parametrize("order_status", [None, *OrderStatus])
@pytest.mark.parametrize("is_another_recorded", [True, False])
@pytest.mark.parametrize("is_old", [True, False])
def test_an_unrecorded_payment_intent_keeps_nothing_once_it_is_certain_that_it_is_nobodys(
    order_status: OrderStatus | None, intent_status: IntentStatus, *, is_another_recorded: bool, is_old: bool
) -> None:
    now = NOW + RECORDED_WITHIN - timedelta(milliseconds=0 if is_old else 1)
    recorded = None
    if order_status:
        recorded = payment(order_status, Status.OPEN if is_another_recorded else None)
        recorded = replace(recorded, stripe_id="pi_2" if is_another_recorded else None)
    duties = {
        IntentStatus.UNCONFIRMED: Duty.VOID,
        IntentStatus.AUTHORIZED: Duty.VOID,
        IntentStatus.SUCCEEDED: Duty.REFUND,
    }
    is_certain = order_status is OrderStatus.CANCELLED or (order_status and is_another_recorded)
    may_be_its_money = order_status not in (None, OrderStatus.CREATED, OrderStatus.CANCELLED)

    def duty() -> Duty | None:
        return duty_of_unrecorded(recorded, intent(intent_status), now)

    if is_certain:
        assert duty() is duties.get(intent_status)
    elif may_be_its_money or intent_status is IntentStatus.CANCELED:
        assert duty() is None
    elif is_old:
        assert duty() is duties[intent_status]
    else:
        with pytest.raises(NotRecordedYet):
            duty()


@pytest.mark.parametrize(
    "gone",
    [
        intent(IntentStatus.SUCCEEDED, refunded=1250),
        intent(IntentStatus.SUCCEEDED, lost=1250),
        intent(IntentStatus.SUCCEEDED, with_the_bank=True),
    ],
)
def test_unrecorded_money_that_cannot_be_refunded_asks_for_nothing(gone: Intent) -> None:
    assert duty_of_unrecorded(None, gone, NOW + RECORDED_WITHIN) is None


def test_an_abandoned_payment_is_voided_and_an_authorised_one_is_not() -> None:
    abandoned = NOW + timedelta(minutes=5) + ABANDONED_AFTER
    waiting = payment(OrderStatus.CREATED)

    assert waiting.duty(intent(IntentStatus.UNCONFIRMED), abandoned - timedelta(milliseconds=1)) is None
    assert waiting.duty(intent(IntentStatus.UNCONFIRMED), abandoned) is Duty.VOID
    assert waiting.duty(intent(IntentStatus.AUTHORIZED), abandoned) is None


@pytest.mark.parametrize(
    ("order", "before", "seen", "after", "told"),
    [
        (OrderStatus.CREATED, Status.OPEN, intent(IntentStatus.UNCONFIRMED), Status.OPEN, None),
        (OrderStatus.CREATED, Status.OPEN, intent(IntentStatus.AUTHORIZED), Status.AUTHORIZED, Telling.AUTHORIZED),
        (OrderStatus.CREATED, Status.OPEN, intent(IntentStatus.CANCELED), Status.VOIDED, Telling.VOIDED),
        (
            OrderStatus.AWAITING_PAYMENT,
            Status.AUTHORIZED,
            intent(IntentStatus.SUCCEEDED),
            Status.CAPTURED,
            Telling.CREATED,
        ),
        (
            OrderStatus.AWAITING_PAYMENT,
            Status.AUTHORIZED,
            intent(IntentStatus.CANCELED),
            Status.FAILED,
            Telling.FAILED,
        ),
        (OrderStatus.AWAITING_PAYMENT, Status.VOIDED, intent(IntentStatus.CANCELED), Status.FAILED, Telling.FAILED),
        (OrderStatus.CANCELLED, Status.FAILED, intent(IntentStatus.CANCELED), Status.FAILED, None),
        (OrderStatus.CANCELLED, Status.AUTHORIZED, intent(IntentStatus.CANCELED), Status.VOIDED, Telling.VOIDED),
        (
            OrderStatus.COMPLETED,
            Status.CAPTURED,
            intent(IntentStatus.SUCCEEDED, refunded=1250),
            Status.REFUNDED,
            Telling.REFUNDED,
        ),
        (
            OrderStatus.COMPLETED,
            Status.CAPTURED,
            intent(IntentStatus.SUCCEEDED, lost=1250),
            Status.REFUNDED,
            Telling.REFUNDED,
        ),
        (
            OrderStatus.COMPLETED,
            Status.CAPTURED,
            intent(IntentStatus.SUCCEEDED, refunded=500, lost=750),
            Status.REFUNDED,
            Telling.REFUNDED,
        ),
        (
            OrderStatus.COMPLETED,
            Status.CAPTURED,
            intent(IntentStatus.SUCCEEDED, refunded=1249),
            Status.CAPTURED,
            Telling.PARTLY_REFUNDED,
        ),
        (
            OrderStatus.COMPLETED,
            Status.CAPTURED,
            intent(IntentStatus.SUCCEEDED, lost=300),
            Status.CAPTURED,
            Telling.PARTLY_REFUNDED,
        ),
        (
            OrderStatus.CREATED,
            Status.OPEN,
            intent(IntentStatus.SUCCEEDED, refunded=500),
            Status.CAPTURED,
            Telling.CREATED,
        ),
        (
            OrderStatus.CANCELLED,
            Status.CAPTURED,
            intent(IntentStatus.SUCCEEDED, lost=300),
            Status.REFUNDED,
            Telling.REFUNDED,
        ),
    ],
)
def test_each_observation_gives_a_status_and_tells_of_it_once(
    order: OrderStatus, before: Status, seen: Intent, after: Status, told: Telling | None
) -> None:
    now, telling = payment(order, before).observe(seen, tell_again=False)
    assert (now.status, telling) == (after, told)

    _, again = now.observe(seen, tell_again=False)
    assert again is None


@pytest.mark.parametrize("status", [Status.AUTHORIZED, Status.CAPTURED, Status.VOIDED, Status.FAILED, Status.REFUNDED])
def test_a_status_never_moves_backwards(status: Status) -> None:
    seen, telling = payment(OrderStatus.COMPLETED, status).observe(intent(IntentStatus.UNCONFIRMED), tell_again=False)

    assert (seen.status, telling) == (status, None)


@pytest.mark.parametrize(
    ("seen", "refunded", "reason"),
    [
        (intent(IntentStatus.SUCCEEDED, refunded=500), 500, "refunded_at_stripe"),
        (intent(IntentStatus.SUCCEEDED, refunded=500, lost=300), 800, "dispute_lost"),
        (intent(IntentStatus.SUCCEEDED, refunded=500, lost=1250), 1250, "dispute_lost"),
        (intent(IntentStatus.SUCCEEDED, refunded=1250), 1250, "refunded_at_stripe"),
        (intent(IntentStatus.SUCCEEDED), 0, None),
    ],
)
def test_refunds_and_lost_disputes_add_up_to_what_was_captured_at_most(
    seen: Intent, refunded: int, reason: str | None
) -> None:
    now, _ = payment(OrderStatus.COMPLETED, Status.CAPTURED).observe(seen, tell_again=False)

    assert (now.refunded, now.reason) == (refunded, reason)


def test_a_refund_grows_and_never_shrinks() -> None:
    known = payment(OrderStatus.COMPLETED, Status.CAPTURED, refunded=500, known=500)
    grown, told = known.observe(intent(IntentStatus.SUCCEEDED, refunded=800), tell_again=False)
    older, nothing = grown.observe(intent(IntentStatus.SUCCEEDED, refunded=500), tell_again=False)

    assert (grown.refunded, told) == (800, Telling.PARTLY_REFUNDED)
    assert (older.refunded, nothing) == (800, None)


def test_of_a_capture_that_orders_has_not_answered_its_refund_is_told_later() -> None:
    waiting = payment(OrderStatus.AWAITING_PAYMENT, Status.CAPTURED)
    seen, told = waiting.observe(intent(IntentStatus.SUCCEEDED, refunded=500), tell_again=True)
    assert told is Telling.CREATED

    completed = replace(seen, order=replace(seen.order, status=OrderStatus.COMPLETED))
    assert not completed.is_settled()
    assert (
        completed.observe(intent(IntentStatus.SUCCEEDED, refunded=500), tell_again=True)[1] is Telling.PARTLY_REFUNDED
    )


@pytest.mark.parametrize(
    ("refunded", "known", "told"),
    [(0, 0, None), (500, 0, Telling.PARTLY_REFUNDED), (500, 300, Telling.PARTLY_REFUNDED), (500, 500, None)],
)
def test_a_partial_refund_rests_once_orders_has_recorded_it(refunded: int, known: int, told: Telling | None) -> None:
    completed = payment(OrderStatus.COMPLETED, Status.CAPTURED, refunded=refunded, known=known)

    assert completed.unanswered() is told
    assert completed.is_settled() is (told is None)


@pytest.mark.parametrize("order_status", OrderStatus)
@pytest.mark.parametrize("status", Status)
def test_what_orders_has_not_answered_is_told_again_and_nothing_else(order_status: OrderStatus, status: Status) -> None:
    unanswered = {
        (OrderStatus.CREATED, Status.AUTHORIZED): Telling.AUTHORIZED,
        (OrderStatus.CREATED, Status.CAPTURED): Telling.CREATED,
        (OrderStatus.AWAITING_PAYMENT, Status.CAPTURED): Telling.CREATED,
        (OrderStatus.AWAITING_PAYMENT, Status.FAILED): Telling.FAILED,
        (OrderStatus.AWAITING_PAYMENT, Status.REFUNDED): Telling.FAILED,
        (OrderStatus.COMPLETED, Status.REFUNDED): Telling.REFUNDED,
    }

    assert payment(order_status, status).unanswered() is unanswered.get((order_status, status))


@pytest.mark.parametrize("status", [Status.VOIDED, Status.REFUNDED])
def test_of_funds_that_are_gone_orders_is_asked_if_it_was_told_of_them(status: Status) -> None:
    """It may have given the ticket away for them, and its word may have been lost."""
    gone = payment(OrderStatus.CREATED, status, paid_at=NOW)

    assert gone.unanswered() is Telling.AUTHORIZED
    assert not gone.is_settled()
    assert payment(OrderStatus.CANCELLED, status, paid_at=NOW).is_settled()


@pytest.mark.parametrize("order_status", OrderStatus)
@pytest.mark.parametrize("status", Status)
def test_a_payment_rests_only_when_stripe_and_orders_have_both_ended(order_status: OrderStatus, status: Status) -> None:
    at_rest = {
        (OrderStatus.COMPLETED, Status.CAPTURED),
        (OrderStatus.REFUNDED, Status.REFUNDED),
        (OrderStatus.CANCELLED, Status.REFUNDED),
        (OrderStatus.CANCELLED, Status.FAILED),
        (OrderStatus.CREATED, Status.VOIDED),
        (OrderStatus.CANCELLED, Status.VOIDED),
        (OrderStatus.COMPLETED, Status.VOIDED),
        (OrderStatus.REFUNDED, Status.VOIDED),
    }

    assert payment(order_status, status).is_settled() == ((order_status, status) in at_rest)


def test_an_order_without_a_payment_needs_no_settling() -> None:
    assert payment(OrderStatus.CANCELLED, None).is_settled()


def test_an_older_word_of_orders_changes_nothing() -> None:
    current = payment(OrderStatus.CANCELLED)
    older = replace(current.order, status=OrderStatus.CREATED, version=2)

    assert current.with_order(older) is current
    assert current.with_order(replace(older, version=4)).order.status is OrderStatus.CREATED


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        (payment(OrderStatus.CREATED), None),
        (payment(OrderStatus.CANCELLED), OrderCancelled),
        (payment(OrderStatus.CREATED, Status.VOIDED), PaymentOver),
        (payment(OrderStatus.AWAITING_PAYMENT, Status.FAILED), PaymentOver),
    ],
)
def test_what_takes_no_payment_says_why(given: Payment, refusal: type[PaymentError] | None) -> None:
    if refusal is None:
        given.check_can_be_started(NOW)
    else:
        with pytest.raises(refusal):
            given.check_can_be_started(NOW)


def test_a_payment_can_be_started_until_the_deadline_and_not_at_it() -> None:
    deadline = payment(OrderStatus.CREATED).order.expires_at
    payment(OrderStatus.CREATED).check_can_be_started(deadline - timedelta(milliseconds=1))

    with pytest.raises(OrderExpired):
        payment(OrderStatus.CREATED).check_can_be_started(deadline)
