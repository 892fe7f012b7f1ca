"""The rules of a seller's earnings: every status of the order with every phase of the record, and what Stripe shows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from functions.payments.earnings import (
    BLOCKED_LOOK,
    FIRST_PAUSE,
    LEASE,
    LONGEST_PAUSE,
    OVERDUE_AFTER,
    Answer,
    AtStripe,
    Earning,
    EarningStatus,
    EventType,
    Operation,
    OperationKind,
    Recipient,
    Reversal,
    Sale,
    Transfer,
    earned,
    event_of,
    next_step,
)
from functions.payments.payment import Intent, IntentStatus, OrderStatus, PayableOrder, RefundStatus
from shared.ids import OrderID, TicketID, UserID
from shared.money import MinorUnits

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOLD = timedelta(days=7)
PRICE, FEE, NET, PART = 45_00, 2_25, 42_75, 20_00
READY = Recipient(account_id="acct_1", can_receive=True)
SALE = Sale(
    order_id=OrderID("order"),
    seller_id=UserID("seller"),
    ticket_id=TicketID("ticket"),
    title="Row 1, seat 2",
    price=MinorUnits(PRICE),
    fee=MinorUnits(FEE),
    currency="usd",
)
COMPLETED, REFUNDING, REFUNDED = OrderStatus.COMPLETED, OrderStatus.REFUNDING, OrderStatus.REFUNDED
WORDS = {
    "completed": (COMPLETED, 0),
    "part": (COMPLETED, PART),
    "refunding": (REFUNDING, 0),
    "refunded": (REFUNDED, PRICE),
}
DUE = {"completed": NET, "part": NET - PART, "refunding": 0, "refunded": 0}


def order(status: OrderStatus = COMPLETED, *, version: int = 3, refunded: int = 0) -> PayableOrder:
    return PayableOrder(
        id=SALE.order_id,
        user_id=UserID("buyer"),
        status=status,
        expires_at=NOW,
        amount=SALE.price,
        currency="usd",
        version=version,
        refunded=MinorUnits(refunded),
    )


def operation(kind: str, *, number: int = 1, amount: int = NET, **more: Any) -> Operation:
    target = "acct_1" if kind == "transfer" else "tr_1"
    fields: dict[str, Any] = {"target": target, "leased_at": NOW} | more
    return Operation(kind=OperationKind(kind), number=number, amount=MinorUnits(amount), **fields)


def earning(word: str = "completed", *, released: bool = True, **more: Any) -> Earning:
    """Return earnings of an order with this word of Orders; `more` are fields of the record."""
    status, refunded = WORDS[word]
    available_at = NOW if released else NOW + timedelta(seconds=1)
    known = earned(SALE, order(status, refunded=refunded), now=available_at, hold=timedelta())
    return replace(known, look_at=NOW, **{name: _minor(value) for name, value in more.items()})


def _minor(value: Any) -> Any:
    return MinorUnits(value) if type(value) is int else value


def at_stripe(*transfers: Transfer, refunded: int = 0, lost: int = 0, **more: Any) -> AtStripe:
    fields: dict[str, Any] = {"refund_status": None, "with_the_bank": False} | more
    intent = Intent(
        id="pi_1",
        status=IntentStatus.SUCCEEDED,
        client_secret="",
        created_at=NOW,
        stage="test",
        order_id=SALE.order_id,
        captured=MinorUnits(PRICE),
        refunded=MinorUnits(refunded),
        lost=MinorUnits(lost),
        **fields,
    )
    return AtStripe(intent=intent, transfers=transfers)


def sent(amount: int = NET, *reversals: Reversal, number: int | None = 1) -> Transfer:
    return Transfer(id="tr_1", number=number, amount=MinorUnits(amount), reversals=reversals)


def reversal(amount: int, *, number: int | None = 2) -> Reversal:
    return Reversal(number=number, amount=MinorUnits(amount))


def begun(step_after: Earning) -> tuple[str, int, int] | None:
    found = step_after.operation
    return (str(found.kind), found.number, found.amount) if found else None


# What the seller is due


@pytest.mark.parametrize(("word", "due"), DUE.items())
def test_orders_alone_decides_what_is_due(word: str, due: int) -> None:
    assert earning(word).due == due


def test_a_part_refund_above_the_net_amount_leaves_nothing_due() -> None:
    assert replace(earning(), refunded=MinorUnits(PRICE - 1)).due == 0


def test_earnings_are_available_after_the_hold() -> None:
    made = earned(SALE, order(), now=NOW, hold=HOLD)

    assert (made.available_at, made.look_at, made.status(NOW)) == (NOW + HOLD, NOW + HOLD, EarningStatus.HELD)


@pytest.mark.parametrize("status", [REFUNDING, REFUNDED])
def test_an_order_that_was_refunded_before_its_record_earns_nothing(status: OrderStatus) -> None:
    made = earned(SALE, order(status, refunded=PRICE), now=NOW, hold=HOLD)

    assert (made.look_at, made.status(NOW)) == (None, EarningStatus.CANCELLED)


# The status

PHASES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "blocked": {"is_blocked": True},
    "transfer open": {"operation": operation("transfer"), "number": 1},
    "paid": {"transferred": NET, "number": 1},
    "reversal open": {"transferred": NET, "operation": operation("reversal", number=2), "number": 2},
    "reversed": {"transferred": NET, "reversed": NET, "number": 2},
}


@pytest.mark.parametrize(
    ("phase", "word", "expected"),
    [
        *(("nothing", word, "due" if DUE[word] else "cancelled") for word in WORDS),
        *(("blocked", word, "blocked" if DUE[word] else "cancelled") for word in WORDS),
        *(("transfer open", word, "sending") for word in WORDS),
        *(("paid", word, "paid") for word in WORDS),
        *(("reversal open", word, "reversing") for word in WORDS),
        *(("reversed", word, "reversed") for word in WORDS),
    ],
)
def test_the_status_of_every_phase_and_word(phase: str, word: str, expected: str) -> None:
    assert earning(word, **PHASES[phase]).status(NOW) == expected


def test_earnings_are_held_until_their_release() -> None:
    assert earning(released=False).status(NOW) is EarningStatus.HELD


def test_money_under_way_is_shown_as_it_was() -> None:
    shown = {status: status.shown for status in EarningStatus}

    assert shown.pop(EarningStatus.SENDING) is EarningStatus.DUE
    assert shown.pop(EarningStatus.REVERSING) is EarningStatus.PAID
    assert all(status is as_shown for status, as_shown in shown.items())


@pytest.mark.parametrize(
    ("found", "amount"),
    [
        (earning(), NET),
        (earning("part"), NET - PART),
        (earning("refunded"), NET),
        (earning("part", transferred=NET), NET),
        (earning("part", transferred=NET, reversed=PART), NET - PART),
        (earning("refunded", transferred=NET, reversed=NET), NET),
    ],
)
def test_earnings_count_for_what_is_due_paid_or_lost(found: Earning, amount: int) -> None:
    assert found.amount == amount


# The copy of the order


@pytest.mark.parametrize(("phase", "word"), [*product(PHASES, WORDS)])
def test_a_newer_order_is_looked_at_if_a_step_follows(phase: str, word: str) -> None:
    status, refunded = WORDS[word]
    before = replace(earning(**PHASES[phase]), look_at=None)
    after = before.with_order(order(status, version=4, refunded=refunded), NOW)

    assert after.due == DUE[word]
    requires_step = after.operation is not None or after.stands > after.due
    assert after.look_at == (NOW if requires_step else None)


def test_earnings_that_are_no_longer_due_are_not_looked_at() -> None:
    after = earning(waits=True).with_order(order(REFUNDING, version=4), NOW)

    assert (after.look_at, after.waits, after.status(NOW)) == (None, False, EarningStatus.CANCELLED)


@pytest.mark.parametrize("version", [2, 3])
def test_an_older_order_is_ignored(version: int) -> None:
    before = earning()

    assert before.with_order(order(REFUNDED, version=version, refunded=PRICE), NOW) == before


# The steps of a look

RISKS: dict[str, dict[str, Any]] = {
    "none": {},
    "disputed": {"with_the_bank": True},
    "refund pending": {"refund_status": RefundStatus.PENDING},
    "refunded by hand": {"refunded": PRICE},
    "lost": {"lost": PRICE},
}
RECIPIENTS = {
    "ready": READY,
    "not ready": replace(READY, can_receive=False),
    "owes": replace(READY, owes=True),
    "none": None,
}


@pytest.mark.parametrize(("word", "risk", "released", "recipient"), [*product(WORDS, RISKS, (True, False), RECIPIENTS)])
def test_a_first_transfer_needs_everything(word: str, risk: str, released: bool, recipient: str) -> None:
    step = next_step(earning(word, released=released), at_stripe(**RISKS[risk]), RECIPIENTS[recipient], NOW)

    is_blocked = bool(DUE[word]) and risk != "none"
    may_be_sent = bool(DUE[word]) and not is_blocked and released and recipient == "ready"
    assert step.calls == may_be_sent
    assert begun(step.after) == (("transfer", 1, DUE[word]) if may_be_sent else None)
    assert step.after.is_blocked == is_blocked
    assert step.after.waits == (bool(DUE[word]) and not is_blocked and released and recipient != "ready")
    assert (step.after.look_at is None) == (not DUE[word])


@pytest.mark.parametrize("word", WORDS)
def test_what_orders_has_recorded_as_refunded_is_no_risk(word: str) -> None:
    _, refunded = WORDS[word]

    assert not earning(word).is_at_risk(at_stripe(refunded=refunded))


@pytest.mark.parametrize("word", WORDS)
def test_what_is_more_than_due_is_reversed(word: str) -> None:
    step = next_step(earning(word, transferred=NET, number=1), at_stripe(sent()), READY, NOW)

    difference = NET - DUE[word]
    assert begun(step.after) == (("reversal", 2, difference) if difference else None)
    assert step.calls == bool(difference)


def test_a_dispute_alone_reverses_nothing() -> None:
    step = next_step(earning(transferred=NET, number=1), at_stripe(sent(), with_the_bank=True), READY, NOW)

    assert (step.calls, step.after.look_at, step.after.is_blocked) == (False, None, False)


def test_a_transfer_reversed_by_hand_is_not_made_again() -> None:
    taken = sent(NET, reversal(NET, number=None))
    step = next_step(earning(transferred=NET, number=1), at_stripe(taken), READY, NOW)

    assert (step.calls, step.after.look_at, step.after.status(NOW)) == (False, None, EarningStatus.REVERSED)


def test_a_transfer_made_by_hand_is_not_made_again() -> None:
    step = next_step(earning(), at_stripe(sent(number=None)), READY, NOW)

    assert (step.calls, step.after.status(NOW), step.after.paid_at) == (False, EarningStatus.PAID, NOW)


def test_a_transfer_made_by_hand_ends_the_repetitions_of_an_open_one() -> None:
    before = earning(operation=operation("transfer"), number=1)
    step = next_step(before, at_stripe(sent(number=None)), READY, NOW + LEASE)

    assert (step.calls, step.after.operation) == (False, None)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("kind", ["transfer", "reversal"])
def test_an_operation_that_stripe_has_is_over(word: str, kind: str) -> None:
    """Whatever was answered."""
    amount = NET if kind == "transfer" else NET - DUE[word]
    open_one = operation(kind, number=1 if kind == "transfer" else 2, amount=amount, answer=Answer.FAILED)
    before = earning(word, operation=open_one, number=open_one.number)
    made = sent() if kind == "transfer" else sent(NET, reversal(amount))
    step = next_step(before, at_stripe(made), READY, NOW)

    assert step.after.transferred == NET
    assert not open_one.is_same(step.after.operation)


@pytest.mark.parametrize(
    ("changes", "recipient"),
    [
        ({}, None),
        ({}, replace(READY, can_receive=False)),
        ({}, replace(READY, owes=True)),
        ({}, replace(READY, account_id="acct_2")),
        ({"word": "part"}, READY),
        ({"word": "refunding"}, READY),
        ({"risk": "disputed"}, READY),
    ],
)
def test_an_open_transfer_that_may_not_be_sent_is_given_up_after_its_lease(
    changes: dict[str, Any], recipient: Recipient | None
) -> None:
    shown = at_stripe(**RISKS[changes.get("risk", "none")])
    kept = {name: value for name, value in changes.items() if name != "risk"}
    before = earning(operation=operation("transfer"), number=1, **kept)

    waits = next_step(before, shown, recipient, NOW + LEASE - timedelta(seconds=1))
    assert (waits.calls, begun(waits.after)) == (False, ("transfer", 1, NET))
    assert waits.after.look_at == NOW + LEASE
    given_up = next_step(before, shown, recipient, NOW + LEASE)
    assert begun(given_up.after) != ("transfer", 1, NET)


@pytest.mark.parametrize(("kind", "word"), [("transfer", "completed"), ("reversal", "refunding")])
def test_an_operation_without_an_answer_is_repeated_under_a_new_lease(kind: str, word: str) -> None:
    number, transfers = (1, ()) if kind == "transfer" else (2, (sent(),))
    before = earning(word, operation=operation(kind, number=number), number=number)
    later = NOW + timedelta(days=2)
    step = next_step(before, at_stripe(*transfers), READY, later)

    assert step.calls
    assert step.after.operation == replace(before.operation, leased_at=later)  # type: ignore[type-var]
    assert step.after.operation.key(SALE.order_id) == f"payout/order/{kind}/{number}"  # type: ignore[union-attr]


def test_the_next_number_follows_a_refusal() -> None:
    refused = earning(operation=operation("transfer", answer=Answer.REFUSED), number=1)

    assert begun(next_step(refused, at_stripe(), READY, NOW).after) == ("transfer", 2, NET)


def test_after_a_failure_of_stripe_the_next_number_waits_for_the_end_of_the_lease() -> None:
    failed = earning(operation=operation("transfer", answer=Answer.FAILED), number=1)

    waits = next_step(failed, at_stripe(), READY, NOW + LEASE - timedelta(seconds=1))
    assert (waits.calls, waits.after.look_at) == (False, NOW + LEASE)
    assert begun(next_step(failed, at_stripe(), READY, NOW + LEASE).after) == ("transfer", 2, NET)


def test_a_reversal_takes_no_more_than_its_transfer_has_left() -> None:
    """Of two transfers, one of which was made by hand, each is reversed in turn."""
    first, second = sent(30_00), replace(sent(12_75, number=None), id="tr_2")
    step = next_step(earning("refunded", transferred=NET, number=1), at_stripe(second, first), READY, NOW)

    assert begun(step.after) == ("reversal", 2, 30_00)
    assert step.after.operation
    assert step.after.operation.target == "tr_1"


def test_blocked_earnings_are_looked_at_again() -> None:
    blocked = next_step(earning(), at_stripe(with_the_bank=True), READY, NOW).after
    assert blocked.look_at == NOW + BLOCKED_LOOK

    assert begun(next_step(blocked, at_stripe(), READY, NOW + BLOCKED_LOOK).after) == ("transfer", 1, NET)


# Answers


def test_an_answer_is_recorded_for_its_own_operation_only() -> None:
    before = earning(operation=operation("transfer", number=2), number=2)

    assert before.made(operation("transfer", number=1), NOW) == before
    assert before.made(operation("reversal", number=2), NOW) == before
    assert before.answered(operation("transfer", number=1), Answer.REFUSED, NOW) == before


def test_a_transfer_that_was_made_ends_the_looks() -> None:
    after = earning(operation=operation("transfer"), number=1).made(operation("transfer"), NOW)

    assert (after.status(NOW), after.transferred, after.paid_at, after.look_at) == (EarningStatus.PAID, NET, NOW, None)


def test_a_transfer_of_a_refunded_order_is_looked_at_at_once() -> None:
    after = earning("refunding", operation=operation("transfer"), number=1).made(operation("transfer"), NOW)

    assert (after.stands, after.look_at) == (NET, NOW)


def test_a_reversal_that_was_made_ends_the_looks() -> None:
    back = operation("reversal", number=2)
    after = earning("refunding", transferred=NET, operation=back, number=2).made(back, NOW)

    assert (after.status(NOW), after.reversed, after.look_at) == (EarningStatus.REVERSED, NET, None)


@pytest.mark.parametrize(("number", "pause"), [(1, FIRST_PAUSE), (2, 2 * FIRST_PAUSE), (50, LONGEST_PAUSE)])
def test_the_pause_after_a_refusal_grows(number: int, pause: timedelta) -> None:
    asked = operation("reversal", number=number)
    after = earning("refunding", transferred=NET, operation=asked, number=number).answered(asked, Answer.REFUSED, NOW)

    assert after.look_at == NOW + pause
    assert after.operation == replace(asked, answer=Answer.REFUSED)


def test_a_failure_of_stripe_is_looked_at_after_the_lease() -> None:
    asked = operation("transfer")
    after = earning(operation=asked, number=1).answered(asked, Answer.FAILED, NOW)

    assert after.look_at == NOW + LEASE


# Events and alarms


@pytest.mark.parametrize(
    ("after", "event"),
    [
        (earning(transferred=NET), EventType.CREATED),
        (earning("refunded", transferred=NET, reversed=NET), EventType.REVERSED),
        (earning(is_blocked=True), EventType.BLOCKED),
        (earning(operation=operation("transfer")), None),
        (earning("refunding"), None),
    ],
)
def test_money_that_moved_or_is_blocked_is_published(after: Earning, event: EventType | None) -> None:
    assert event_of(earning(), after) is event


def test_earnings_that_stay_blocked_publish_nothing() -> None:
    blocked = earning(is_blocked=True)

    assert event_of(blocked, replace(blocked, look_at=None)) is None


@pytest.mark.parametrize(
    ("changes", "is_overdue"),
    [
        ({}, True),
        ({"operation": operation("transfer", answer=Answer.REFUSED)}, True),
        ({"waits": True}, False),
        ({"is_blocked": True}, False),
        ({"transferred": NET}, False),
    ],
)
def test_money_that_a_failure_keeps_back_for_a_day_is_overdue(changes: dict[str, Any], is_overdue: bool) -> None:
    found = earning(**changes)

    assert found.is_overdue(NOW + OVERDUE_AFTER) is is_overdue
    assert not found.is_overdue(NOW + OVERDUE_AFTER - timedelta(seconds=1))
