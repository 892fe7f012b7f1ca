"""A payment's rules: the action that each order status requires, and the event of each observation."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.payments.payment import (
    ABANDONED_AFTER,
    NORMAL_COURSE,
    RECORDED_WITHIN,
    EventType,
    Intent,
    IntentStatus,
    NotRecordedYet,
    OrderCancelled,
    OrderExpired,
    OrderStatus,
    PayableOrder,
    Payment,
    PaymentError,
    PaymentOver,
    PaymentStatus,
    RefundStatus,
    RequiredAction,
    action_for_unrecorded,
)
from shared.ids import OrderID, PaymentID, UserID
from shared.money import MinorUnits

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def payment(
    order: OrderStatus,
    status: PaymentStatus | None = PaymentStatus.OPEN,
    *,
    paid_at: datetime | None = None,
    refunded: int = 0,
    known: int = 0,
) -> Payment:
    """Return a payment. `known` is the part of the refund that Orders has recorded."""
    return Payment(
        order=PayableOrder(
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


def intent(
    status: IntentStatus,
    *,
    refunded: int = 0,
    lost: int = 0,
    with_the_bank: bool = False,
    refund_status: RefundStatus | None = None,
) -> Intent:
    return Intent(
        id="pi_1",
        status=status,
        client_secret="secret",
        created_at=NOW,
        stage="test",
        order_id=OrderID("order"),
        captured=MinorUnits(1250 if status is IntentStatus.SUCCEEDED else 0),
        refunded=MinorUnits(refunded),
        refund_status=refund_status,
        lost=MinorUnits(lost),
        with_the_bank=with_the_bank,
    )


REQUIRED_ACTIONS = {
    (OrderStatus.AWAITING_PAYMENT, IntentStatus.AUTHORIZED): RequiredAction.CAPTURE,
    (OrderStatus.AWAITING_PAYMENT, IntentStatus.UNCONFIRMED): RequiredAction.VOID,
    (OrderStatus.CANCELLED, IntentStatus.UNCONFIRMED): RequiredAction.VOID,
    (OrderStatus.CANCELLED, IntentStatus.AUTHORIZED): RequiredAction.VOID,
    (OrderStatus.CANCELLED, IntentStatus.SUCCEEDED): RequiredAction.REFUND,
    (OrderStatus.REFUNDING, IntentStatus.SUCCEEDED): RequiredAction.REFUND,
}


@pytest.mark.parametrize("intent_status", IntentStatus)
@pytest.mark.parametrize("order_status", OrderStatus)
def test_the_order_status_decides_the_required_action(order_status: OrderStatus, intent_status: IntentStatus) -> None:
    required_action = payment(order_status).required_action(intent(intent_status), NOW)

    assert required_action is REQUIRED_ACTIONS.get((order_status, intent_status))


@pytest.mark.parametrize("seen", IntentStatus)
@pytest.mark.parametrize("refused", RequiredAction)
def test_only_a_refused_capture_of_held_money_is_followed_by_a_void(
    refused: RequiredAction, seen: IntentStatus
) -> None:
    following = payment(OrderStatus.AWAITING_PAYMENT).action_after_refusal(refused, intent(seen))

    is_held = (refused, seen) == (RequiredAction.CAPTURE, IntentStatus.AUTHORIZED)
    assert following is (RequiredAction.VOID if is_held else None)


@pytest.mark.parametrize("order_status", OrderStatus)
@pytest.mark.parametrize("status", [None, *PaymentStatus])
def test_money_is_due_if_authorised_and_the_order_awaits_it(
    order_status: OrderStatus, status: PaymentStatus | None
) -> None:
    is_due = payment(order_status, status).is_due()
    assert is_due is (order_status is OrderStatus.AWAITING_PAYMENT and status is PaymentStatus.AUTHORIZED)


@pytest.mark.parametrize(
    ("order_status", "status", "seen", "agrees"),
    [
        (OrderStatus.CREATED, PaymentStatus.OPEN, IntentStatus.UNCONFIRMED, True),
        (OrderStatus.CREATED, PaymentStatus.OPEN, IntentStatus.AUTHORIZED, False),  # to be published
        (OrderStatus.CREATED, PaymentStatus.AUTHORIZED, IntentStatus.AUTHORIZED, True),
        (OrderStatus.AWAITING_PAYMENT, PaymentStatus.AUTHORIZED, IntentStatus.AUTHORIZED, False),  # to be captured
        (OrderStatus.AWAITING_PAYMENT, PaymentStatus.CAPTURED, IntentStatus.SUCCEEDED, True),
        (OrderStatus.COMPLETED, PaymentStatus.CAPTURED, IntentStatus.SUCCEEDED, True),
        (OrderStatus.CANCELLED, PaymentStatus.AUTHORIZED, IntentStatus.AUTHORIZED, False),  # to be voided
        (OrderStatus.CANCELLED, PaymentStatus.CAPTURED, IntentStatus.SUCCEEDED, False),  # to be refunded
        (OrderStatus.REFUNDING, PaymentStatus.CAPTURED, IntentStatus.SUCCEEDED, False),  # to be refunded
        (OrderStatus.CANCELLED, PaymentStatus.VOIDED, IntentStatus.CANCELED, True),
    ],
)
def test_payment_and_intent_agree_if_no_action_is_required(
    order_status: OrderStatus, status: PaymentStatus, seen: IntentStatus, *, agrees: bool
) -> None:
    reason = "order_cancelled" if status is PaymentStatus.VOIDED else None
    assert replace(payment(order_status, status, paid_at=NOW), reason=reason).agrees_with(intent(seen), NOW) is agrees


@pytest.mark.parametrize(
    "gone",
    [
        intent(IntentStatus.SUCCEEDED, refunded=1250),
        intent(IntentStatus.SUCCEEDED, lost=1250),
        intent(IntentStatus.SUCCEEDED, lost=300),
        intent(IntentStatus.SUCCEEDED, with_the_bank=True),
    ],
)
@pytest.mark.parametrize("order_status", [OrderStatus.CANCELLED, OrderStatus.REFUNDING])
def test_returned_money_is_not_refunded_again(gone: Intent, order_status: OrderStatus) -> None:
    assert payment(order_status).required_action(gone, NOW) is None


def test_the_rest_after_a_partial_refund_is_refunded_too() -> None:
    partly = intent(IntentStatus.SUCCEEDED, refunded=500)

    for decided in (OrderStatus.CANCELLED, OrderStatus.REFUNDING):
        assert payment(decided).required_action(partly, NOW) is RequiredAction.REFUND
    assert payment(OrderStatus.COMPLETED).required_action(partly, NOW) is None


@pytest.mark.parametrize("intent_status", IntentStatus)
@pytest.mark.parametrize("order_status", [None, *OrderStatus])
@pytest.mark.parametrize("is_another_recorded", [True, False])
@pytest.mark.parametrize("is_old", [True, False])
def test_a_certain_orphan_intent_is_voided_or_refunded(
    order_status: OrderStatus | None, intent_status: IntentStatus, *, is_another_recorded: bool, is_old: bool
) -> None:
    """Certain: another PaymentIntent is recorded, the order is cancelled, or the time for recording has passed."""
    now = NOW + RECORDED_WITHIN - timedelta(milliseconds=0 if is_old else 1)
    recorded = None
    if order_status:
        recorded = payment(order_status, PaymentStatus.OPEN if is_another_recorded else None)
        recorded = replace(recorded, stripe_id="pi_2" if is_another_recorded else None)
    duties = {
        IntentStatus.UNCONFIRMED: RequiredAction.VOID,
        IntentStatus.AUTHORIZED: RequiredAction.VOID,
        IntentStatus.SUCCEEDED: RequiredAction.REFUND,
    }
    is_certain = order_status is OrderStatus.CANCELLED or (order_status and is_another_recorded)
    may_be_its_money = order_status not in (None, OrderStatus.CREATED, OrderStatus.CANCELLED)

    def required_action() -> RequiredAction | None:
        return action_for_unrecorded(recorded, intent(intent_status), now)

    if is_certain:
        assert required_action() is duties.get(intent_status)
    elif may_be_its_money or intent_status is IntentStatus.CANCELED:
        assert required_action() is None
    elif is_old:
        assert required_action() is duties[intent_status]
    else:
        with pytest.raises(NotRecordedYet):
            required_action()


@pytest.mark.parametrize(
    "gone",
    [
        intent(IntentStatus.SUCCEEDED, refunded=1250),
        intent(IntentStatus.SUCCEEDED, lost=1250),
        intent(IntentStatus.SUCCEEDED, with_the_bank=True),
    ],
)
def test_an_orphan_that_cannot_be_refunded_needs_no_action(gone: Intent) -> None:
    assert action_for_unrecorded(None, gone, NOW + RECORDED_WITHIN) is None


def test_only_an_abandoned_open_payment_is_voided() -> None:
    abandoned = NOW + timedelta(minutes=5) + ABANDONED_AFTER
    waiting = payment(OrderStatus.CREATED)

    assert waiting.required_action(intent(IntentStatus.UNCONFIRMED), abandoned - timedelta(milliseconds=1)) is None
    assert waiting.required_action(intent(IntentStatus.UNCONFIRMED), abandoned) is RequiredAction.VOID
    assert waiting.required_action(intent(IntentStatus.AUTHORIZED), abandoned) is None


@pytest.mark.parametrize(
    ("order", "before", "seen", "after", "event_type"),
    [
        (OrderStatus.CREATED, PaymentStatus.OPEN, intent(IntentStatus.UNCONFIRMED), PaymentStatus.OPEN, None),
        (
            OrderStatus.CREATED,
            PaymentStatus.OPEN,
            intent(IntentStatus.AUTHORIZED),
            PaymentStatus.AUTHORIZED,
            EventType.AUTHORIZED,
        ),
        (
            OrderStatus.CREATED,
            PaymentStatus.OPEN,
            intent(IntentStatus.CANCELED),
            PaymentStatus.VOIDED,
            EventType.VOIDED,
        ),
        (
            OrderStatus.AWAITING_PAYMENT,
            PaymentStatus.AUTHORIZED,
            intent(IntentStatus.SUCCEEDED),
            PaymentStatus.CAPTURED,
            EventType.CREATED,
        ),
        (
            OrderStatus.AWAITING_PAYMENT,
            PaymentStatus.AUTHORIZED,
            intent(IntentStatus.CANCELED),
            PaymentStatus.FAILED,
            EventType.FAILED,
        ),
        (
            OrderStatus.AWAITING_PAYMENT,
            PaymentStatus.VOIDED,
            intent(IntentStatus.CANCELED),
            PaymentStatus.FAILED,
            EventType.FAILED,
        ),
        (OrderStatus.CANCELLED, PaymentStatus.FAILED, intent(IntentStatus.CANCELED), PaymentStatus.FAILED, None),
        (
            OrderStatus.CANCELLED,
            PaymentStatus.AUTHORIZED,
            intent(IntentStatus.CANCELED),
            PaymentStatus.VOIDED,
            EventType.VOIDED,
        ),
        (
            OrderStatus.COMPLETED,
            PaymentStatus.CAPTURED,
            intent(IntentStatus.SUCCEEDED, refunded=1250),
            PaymentStatus.REFUNDED,
            EventType.REFUNDED,
        ),
        (
            OrderStatus.COMPLETED,
            PaymentStatus.CAPTURED,
            intent(IntentStatus.SUCCEEDED, lost=1250),
            PaymentStatus.REFUNDED,
            EventType.REFUNDED,
        ),
        (
            OrderStatus.COMPLETED,
            PaymentStatus.CAPTURED,
            intent(IntentStatus.SUCCEEDED, refunded=500, lost=750),
            PaymentStatus.REFUNDED,
            EventType.REFUNDED,
        ),
        (
            OrderStatus.COMPLETED,
            PaymentStatus.CAPTURED,
            intent(IntentStatus.SUCCEEDED, refunded=1249),
            PaymentStatus.CAPTURED,
            EventType.PARTLY_REFUNDED,
        ),
        (
            OrderStatus.COMPLETED,
            PaymentStatus.CAPTURED,
            intent(IntentStatus.SUCCEEDED, lost=300),
            PaymentStatus.CAPTURED,
            EventType.PARTLY_REFUNDED,
        ),
        (
            OrderStatus.CREATED,
            PaymentStatus.OPEN,
            intent(IntentStatus.SUCCEEDED, refunded=500),
            PaymentStatus.CAPTURED,
            EventType.CREATED,
        ),
        (
            OrderStatus.CANCELLED,
            PaymentStatus.CAPTURED,
            intent(IntentStatus.SUCCEEDED, lost=300),
            PaymentStatus.REFUNDED,
            EventType.REFUNDED,
        ),
        (
            OrderStatus.REFUNDING,
            PaymentStatus.CAPTURED,
            intent(IntentStatus.SUCCEEDED, refunded=1250),
            PaymentStatus.REFUNDED,
            EventType.REFUNDED,
        ),
        (
            OrderStatus.REFUNDING,
            PaymentStatus.CAPTURED,
            intent(IntentStatus.SUCCEEDED, refunded=500),
            PaymentStatus.CAPTURED,
            EventType.PARTLY_REFUNDED,
        ),
        (
            OrderStatus.REFUNDING,
            PaymentStatus.CAPTURED,
            intent(IntentStatus.SUCCEEDED, lost=300),
            PaymentStatus.REFUNDED,
            EventType.REFUNDED,
        ),
        (
            OrderStatus.REFUNDING,
            PaymentStatus.CAPTURED,
            intent(IntentStatus.SUCCEEDED, with_the_bank=True),
            PaymentStatus.CAPTURED,
            None,
        ),
    ],
)
def test_each_observation_sets_a_status_and_publishes_once(
    order: OrderStatus, before: PaymentStatus, seen: Intent, after: PaymentStatus, event_type: EventType | None
) -> None:
    now, published = payment(order, before).observe(seen, now=NOW)
    assert (now.status, published) == (after, event_type)

    _, again = now.observe(seen, now=NOW)
    assert again is None


@pytest.mark.parametrize(
    "status",
    [
        PaymentStatus.AUTHORIZED,
        PaymentStatus.CAPTURED,
        PaymentStatus.VOIDED,
        PaymentStatus.FAILED,
        PaymentStatus.REFUNDED,
    ],
)
def test_a_status_never_moves_backwards(status: PaymentStatus) -> None:
    seen, event_type = payment(OrderStatus.COMPLETED, status).observe(intent(IntentStatus.UNCONFIRMED), now=NOW)

    assert (seen.status, event_type) == (status, None)


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
def test_refunds_and_lost_disputes_add_up_to_the_capture(seen: Intent, refunded: int, reason: str | None) -> None:
    now, _ = payment(OrderStatus.COMPLETED, PaymentStatus.CAPTURED).observe(seen, now=NOW)

    assert (now.refunded, now.reason) == (refunded, reason)


def test_the_reason_of_a_decided_refund_stays_when_orders_has_recorded_it() -> None:
    refunding = payment(OrderStatus.REFUNDING, PaymentStatus.CAPTURED)
    seen, _ = refunding.observe(intent(IntentStatus.SUCCEEDED, refunded=1250), now=NOW)
    answered = replace(seen, order=replace(seen.order, status=OrderStatus.REFUNDED, refunded=MinorUnits(1250)))

    assert seen.reason == "order_refunding"
    assert answered.observe(intent(IntentStatus.SUCCEEDED, refunded=1250), now=NOW) == (answered, None)


def test_money_with_the_bank_stays_due_until_it_can_be_refunded() -> None:
    disputed = payment(OrderStatus.REFUNDING, PaymentStatus.CAPTURED)

    assert disputed.required_action(intent(IntentStatus.SUCCEEDED, with_the_bank=True), NOW) is None
    assert not disputed.is_settled()
    assert disputed.required_action(intent(IntentStatus.SUCCEEDED), NOW) is RequiredAction.REFUND


def test_a_refund_grows_and_never_shrinks() -> None:
    known = payment(OrderStatus.COMPLETED, PaymentStatus.CAPTURED, refunded=500, known=500)
    grown, event_type = known.observe(intent(IntentStatus.SUCCEEDED, refunded=800), now=NOW)
    older, nothing = grown.observe(intent(IntentStatus.SUCCEEDED, refunded=500), now=NOW)

    assert (grown.refunded, event_type) == (800, EventType.PARTLY_REFUNDED)
    assert (older.refunded, nothing) == (800, None)


def test_a_refund_is_published_after_orders_answers_the_capture() -> None:
    waiting = payment(OrderStatus.AWAITING_PAYMENT, PaymentStatus.CAPTURED)
    seen, event_type = waiting.observe(intent(IntentStatus.SUCCEEDED, refunded=500), now=NOW, republish=True)
    assert event_type is EventType.CREATED

    completed = replace(seen, order=replace(seen.order, status=OrderStatus.COMPLETED))
    assert not completed.is_settled()
    assert (
        completed.observe(intent(IntentStatus.SUCCEEDED, refunded=500), now=NOW, republish=True)[1]
        is EventType.PARTLY_REFUNDED
    )


@pytest.mark.parametrize(
    ("refunded", "known", "event_type"),
    [(0, 0, None), (500, 0, EventType.PARTLY_REFUNDED), (500, 300, EventType.PARTLY_REFUNDED), (500, 500, None)],
)
def test_a_partial_refund_settles_once_orders_recorded_it(
    refunded: int, known: int, event_type: EventType | None
) -> None:
    completed = payment(OrderStatus.COMPLETED, PaymentStatus.CAPTURED, refunded=refunded, known=known)

    assert completed.unanswered() is event_type
    assert completed.is_settled() is (event_type is None)


def test_a_recorded_capture_is_no_news() -> None:
    captured = payment(OrderStatus.AWAITING_PAYMENT, PaymentStatus.CAPTURED)
    assert captured.stripe_id
    assert captured.has_recorded_capture_of(captured.stripe_id)
    assert not captured.has_recorded_capture_of("pi_other")
    assert not replace(captured, status=PaymentStatus.AUTHORIZED).has_recorded_capture_of(captured.stripe_id)


@pytest.mark.parametrize("order_status", [OrderStatus.CANCELLED, OrderStatus.REFUNDING])
def test_the_capture_of_a_cancelled_or_refunding_order_is_news(order_status: OrderStatus) -> None:
    """It has to be refunded."""
    captured = payment(order_status, PaymentStatus.CAPTURED)
    assert captured.stripe_id
    assert not captured.has_recorded_capture_of(captured.stripe_id)


@pytest.mark.parametrize("order_status", OrderStatus)
@pytest.mark.parametrize("status", PaymentStatus)
def test_only_unanswered_events_are_published_again(order_status: OrderStatus, status: PaymentStatus) -> None:
    unanswered = {
        (OrderStatus.CREATED, PaymentStatus.AUTHORIZED): EventType.AUTHORIZED,
        (OrderStatus.CREATED, PaymentStatus.CAPTURED): EventType.CREATED,
        (OrderStatus.AWAITING_PAYMENT, PaymentStatus.CAPTURED): EventType.CREATED,
        (OrderStatus.AWAITING_PAYMENT, PaymentStatus.FAILED): EventType.FAILED,
        (OrderStatus.AWAITING_PAYMENT, PaymentStatus.REFUNDED): EventType.FAILED,
        (OrderStatus.COMPLETED, PaymentStatus.REFUNDED): EventType.REFUNDED,
        (OrderStatus.REFUNDING, PaymentStatus.REFUNDED): EventType.REFUNDED,
    }

    assert payment(order_status, status).unanswered() is unanswered.get((order_status, status))


@pytest.mark.parametrize("status", [PaymentStatus.VOIDED, PaymentStatus.REFUNDED])
def test_an_unanswered_authorisation_is_published_without_funds(status: PaymentStatus) -> None:
    """Orders may have given the ticket to its buyer, and its event may have been lost."""
    gone = payment(OrderStatus.CREATED, status, paid_at=NOW)

    assert gone.unanswered() is EventType.AUTHORIZED
    assert not gone.is_settled()
    assert payment(OrderStatus.CANCELLED, status, paid_at=NOW).is_settled()


@pytest.mark.parametrize("order_status", OrderStatus)
@pytest.mark.parametrize("status", PaymentStatus)
def test_a_payment_settles_when_stripe_and_orders_have_ended(order_status: OrderStatus, status: PaymentStatus) -> None:
    at_rest = {
        (OrderStatus.COMPLETED, PaymentStatus.CAPTURED),
        (OrderStatus.REFUNDED, PaymentStatus.REFUNDED),
        (OrderStatus.CANCELLED, PaymentStatus.REFUNDED),
        (OrderStatus.CANCELLED, PaymentStatus.FAILED),
        (OrderStatus.CREATED, PaymentStatus.VOIDED),
        (OrderStatus.CANCELLED, PaymentStatus.VOIDED),
        (OrderStatus.COMPLETED, PaymentStatus.VOIDED),
        (OrderStatus.REFUNDING, PaymentStatus.VOIDED),
        (OrderStatus.REFUNDED, PaymentStatus.VOIDED),
    }

    assert payment(order_status, status).is_settled() == ((order_status, status) in at_rest)


def test_an_order_without_a_payment_needs_no_settling() -> None:
    assert payment(OrderStatus.CANCELLED, None).is_settled()


def test_only_a_silent_payment_that_is_not_settled_is_stalled() -> None:
    authorised = replace(payment(OrderStatus.CREATED, PaymentStatus.AUTHORIZED), updated_at=NOW)

    assert not authorised.is_stalled(NOW + NORMAL_COURSE - timedelta(seconds=1))
    assert authorised.is_stalled(NOW + NORMAL_COURSE)
    assert not replace(authorised, status=PaymentStatus.VOIDED).is_stalled(NOW + NORMAL_COURSE)


@pytest.mark.parametrize("order_status", OrderStatus)
@pytest.mark.parametrize("status", PaymentStatus)
def test_captured_money_of_a_decided_order_awaits_its_refund(order_status: OrderStatus, status: PaymentStatus) -> None:
    awaits_refund = {
        (OrderStatus.CANCELLED, PaymentStatus.CAPTURED),
        (OrderStatus.REFUNDING, PaymentStatus.CAPTURED),
        (OrderStatus.REFUNDING, PaymentStatus.REFUNDED),
        (OrderStatus.COMPLETED, PaymentStatus.REFUNDED),
        (OrderStatus.REFUNDED, PaymentStatus.CAPTURED),
    }

    assert payment(order_status, status).awaits_refund() == ((order_status, status) in awaits_refund)


def test_a_pending_refund_of_a_completed_order_is_awaited() -> None:
    captured = payment(OrderStatus.COMPLETED, PaymentStatus.CAPTURED)

    assert not captured.awaits_refund()
    assert replace(captured, refund_status=RefundStatus.PENDING).awaits_refund()


def test_an_older_order_event_changes_nothing() -> None:
    current = payment(OrderStatus.CANCELLED)
    older = replace(current.order, status=OrderStatus.CREATED, version=2)

    assert current.with_order(older) is current
    assert current.with_order(replace(older, version=4)).order.status is OrderStatus.CREATED


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        (payment(OrderStatus.CREATED), None),
        (payment(OrderStatus.CANCELLED), OrderCancelled),
        (payment(OrderStatus.CREATED, PaymentStatus.VOIDED), PaymentOver),
        (payment(OrderStatus.AWAITING_PAYMENT, PaymentStatus.FAILED), PaymentOver),
    ],
)
def test_an_order_that_accepts_no_payment_has_a_reason(given: Payment, refusal: type[PaymentError] | None) -> None:
    if refusal is None:
        given.check_can_be_started(NOW)
    else:
        with pytest.raises(refusal):
            given.check_can_be_started(NOW)


def test_a_payment_can_be_started_only_before_the_deadline() -> None:
    deadline = payment(OrderStatus.CREATED).order.expires_at
    payment(OrderStatus.CREATED).check_can_be_started(deadline - timedelta(milliseconds=1))

    with pytest.raises(OrderExpired):
        payment(OrderStatus.CREATED).check_can_be_started(deadline)


PENDING, FAILED = RefundStatus.PENDING, RefundStatus.FAILED


@pytest.mark.parametrize("at_stripe", RefundStatus)
@pytest.mark.parametrize("recorded", [None, *RefundStatus])
@pytest.mark.parametrize("order_status", [OrderStatus.CANCELLED, OrderStatus.REFUNDING])
def test_no_other_refund_is_made_while_one_is_pending_or_after_one_has_failed(
    order_status: OrderStatus, recorded: RefundStatus | None, at_stripe: RefundStatus
) -> None:
    seen = intent(IntentStatus.SUCCEEDED, refund_status=at_stripe)

    assert replace(payment(order_status), refund_status=recorded).required_action(seen, NOW) is None
    assert action_for_unrecorded(None, seen, NOW + RECORDED_WITHIN) is None


@pytest.mark.parametrize("order_status", [OrderStatus.CANCELLED, OrderStatus.REFUNDING])
def test_a_refund_that_stripe_refused_is_not_tried_again(order_status: OrderStatus) -> None:
    refused = replace(payment(order_status, PaymentStatus.CAPTURED), refund_status=FAILED)

    assert refused.required_action(intent(IntentStatus.SUCCEEDED), NOW) is None


@pytest.mark.parametrize("status", [PaymentStatus.CAPTURED, PaymentStatus.REFUNDED])
@pytest.mark.parametrize("order_status", OrderStatus)
def test_a_payment_with_a_pending_refund_is_not_settled(order_status: OrderStatus, status: PaymentStatus) -> None:
    before = payment(order_status, status, paid_at=NOW)
    after, event_type = before.observe(intent(IntentStatus.SUCCEEDED, refund_status=PENDING), now=NOW)

    assert (after.status, after.refunded, after.refund_status) == (status, 0, PENDING)
    assert event_type is None
    assert not after.is_settled()


@pytest.mark.parametrize("order_status", OrderStatus)
@pytest.mark.parametrize("recorded", [None, *RefundStatus])
def test_a_failed_refund_leaves_the_money_captured(order_status: OrderStatus, recorded: RefundStatus | None) -> None:
    before = replace(payment(order_status, PaymentStatus.CAPTURED, paid_at=NOW), refund_status=recorded)
    after, event_type = before.observe(intent(IntentStatus.SUCCEEDED, refund_status=FAILED), now=NOW)

    assert (after.status, after.refund_status, event_type) == (PaymentStatus.CAPTURED, FAILED, None)
    has_ended = order_status in (OrderStatus.CANCELLED, OrderStatus.COMPLETED, OrderStatus.REFUNDING)
    assert after.is_settled() is has_ended


def test_a_failed_refund_of_the_rest_waits_until_orders_has_recorded_the_part() -> None:
    partly = payment(OrderStatus.REFUNDING, PaymentStatus.CAPTURED, refunded=500)
    failed = replace(partly, refund_status=FAILED)

    assert failed.unanswered() is EventType.PARTLY_REFUNDED
    assert not failed.is_settled()
    assert replace(failed, order=replace(failed.order, refunded=MinorUnits(500))).is_settled()


@pytest.mark.parametrize("recorded", [None, *RefundStatus])
def test_a_refund_that_succeeds_ends_a_pending_or_failed_one(recorded: RefundStatus | None) -> None:
    before = replace(payment(OrderStatus.CANCELLED, PaymentStatus.CAPTURED, paid_at=NOW), refund_status=recorded)
    after, event_type = before.observe(intent(IntentStatus.SUCCEEDED, refunded=1250), now=NOW)

    assert (after.status, after.refund_status, event_type) == (PaymentStatus.REFUNDED, None, EventType.REFUNDED)
    assert after.is_settled()


def test_a_refund_that_fails_after_it_had_succeeded_is_recorded() -> None:
    before = payment(OrderStatus.REFUNDED, PaymentStatus.REFUNDED, paid_at=NOW, refunded=1250)
    after, event_type = before.observe(intent(IntentStatus.SUCCEEDED, refund_status=FAILED), now=NOW)

    assert (after.status, after.refunded, after.refund_status, event_type) == (before.status, 1250, FAILED, None)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (intent(IntentStatus.SUCCEEDED), FAILED),
        (intent(IntentStatus.SUCCEEDED, refunded=500), FAILED),
        (intent(IntentStatus.SUCCEEDED, refunded=1250), None),
        (intent(IntentStatus.SUCCEEDED, refund_status=PENDING), PENDING),
        (intent(IntentStatus.SUCCEEDED, with_the_bank=True), None),
        (intent(IntentStatus.SUCCEEDED, lost=300), None),
    ],
)
def test_a_refused_refund_has_failed_unless_the_state_explains_it(seen: Intent, expected: RefundStatus | None) -> None:
    assert seen.with_refused_refund().refund_status is expected
