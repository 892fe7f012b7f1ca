"""The reconciler's rules: which payments are due, and how far it has read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.payments.payment import NORMAL_COURSE, OrderStatus, PaymentStatus, UnsettledPayment
from functions.payments.progress import LogName, LogWindow, Progress
from shared.ids import OrderID

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
DEADLINE = NOW + 5 * MINUTE


def unsettled(status: PaymentStatus, order_status: OrderStatus = OrderStatus.CREATED) -> UnsettledPayment:
    """Return a payment that was changed at NOW; its order's deadline is five minutes later."""
    return UnsettledPayment(
        order_id=OrderID("01M844DZG0HX8EQEZWKEBH5458"),
        order_status=order_status,
        expires_at=DEADLINE,
        status=status,
        paid_at=None,
        updated_at=NOW,
    )


def test_an_open_payment_is_due_after_the_deadline_of_its_order() -> None:
    payment = unsettled(PaymentStatus.OPEN)

    assert not payment.is_due(NOW + NORMAL_COURSE + SECOND)
    assert not payment.is_due(DEADLINE + NORMAL_COURSE)
    assert payment.is_due(DEADLINE + NORMAL_COURSE + SECOND)


@pytest.mark.parametrize("status", sorted(set(PaymentStatus) - {PaymentStatus.OPEN}))
def test_other_payments_wait_for_no_buyer(status: PaymentStatus) -> None:
    payment = unsettled(status)

    assert not payment.is_due(NOW + NORMAL_COURSE)
    assert payment.is_due(NOW + NORMAL_COURSE + SECOND)


@pytest.mark.parametrize("order_status", sorted(set(OrderStatus) - {OrderStatus.CREATED}))
def test_an_open_payment_waits_no_more_once_its_order_was_decided(order_status: OrderStatus) -> None:
    assert unsettled(PaymentStatus.OPEN, order_status).is_due(NOW + NORMAL_COURSE + SECOND)


def test_an_open_payment_that_changed_after_the_deadline_is_given_time() -> None:
    changed_late = replace(unsettled(PaymentStatus.OPEN), expires_at=NOW - MINUTE)

    assert not changed_late.is_due(NOW + NORMAL_COURSE)


def test_a_log_is_read_in_windows_without_a_gap() -> None:
    """A window is read from its end back to its start; the next one overlaps it."""
    first = LogWindow(NOW).opened(NOW + 60 * MINUTE, overlap=10 * MINUTE)
    assert (first.since, first.until) == (NOW, None)

    following = first.read_to(NOW + 20 * MINUTE).closed().opened(NOW + 90 * MINUTE, overlap=10 * MINUTE)

    assert (following.since, following.until) == (NOW + 50 * MINUTE, None)


def test_a_window_that_was_read_in_part_is_continued() -> None:
    """Events that are newer than its end belong to the next window."""
    partly = LogWindow(NOW).opened(NOW + 60 * MINUTE, overlap=10 * MINUTE).read_to(NOW + 40 * MINUTE)

    continued = partly.opened(NOW + 65 * MINUTE, overlap=10 * MINUTE)

    assert (continued.since, continued.until) == (NOW, NOW + 40 * MINUTE)
    assert continued.closed().since == NOW + 50 * MINUTE, "the next window begins where the first one was opened"


def test_the_progress_of_one_log_leaves_the_other() -> None:
    refunds, authorisations = LogWindow(NOW), LogWindow(NOW + MINUTE)
    progress = Progress(logs={LogName.REFUNDS: refunds}, due_from=NOW).with_log(LogName.AUTHORISATIONS, authorisations)

    assert progress.logs == {LogName.REFUNDS: refunds, LogName.AUTHORISATIONS: authorisations}
    assert progress.due_from == NOW
