"""The rules of a buyer's recent holds."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.orders.buyer import REMEMBERED, RecentHolds, RecentlyLapsed, TooManyHolds
from functions.orders.order import Order, OrderedTicket, OrderStatus
from shared.ids import OrderID, TicketID, UserID
from shared.money import Price

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WINDOW = timedelta(minutes=5)
INSTANT = timedelta(milliseconds=1)
NOBODY = RecentHolds(user_id=UserID("buyer"))


def ticket(number: int) -> TicketID:
    return TicketID(f"ticket {number}")


def add(holds: RecentHolds, number: int, *, at: timedelta = timedelta(0), limit: int = 10) -> RecentHolds:
    return holds.add(ticket(number), limit=limit, window=WINDOW, now=NOW + at)


def with_holds(count: int, *, at: timedelta = timedelta(0)) -> RecentHolds:
    holds = NOBODY
    for number in range(count):
        holds = add(holds, number, at=at)
    return holds


def order(number: int, status: OrderStatus) -> Order:
    return Order(
        id=OrderID(f"order {number}"),
        user_id=UserID("buyer"),
        status=status,
        expires_at=NOW + WINDOW,
        ticket=OrderedTicket(id=ticket(number), title="", price=Price("1.00"), currency="usd", hold_version=1),
        version=1,
        created_at=NOW,
    )


def test_a_first_hold_lasts_one_window() -> None:
    holds = add(NOBODY, 1)

    assert (holds.windows, holds.version) == ({ticket(1): NOW + WINDOW}, 1)


def test_ten_holds_are_accepted_and_the_eleventh_waits_for_the_first_deadline() -> None:
    holds = with_holds(10)
    with pytest.raises(TooManyHolds) as refused:
        add(holds, 10, at=timedelta(minutes=4))

    assert refused.value.retry_after == 60


def test_a_lapsed_hold_does_not_count_without_any_event() -> None:
    holds = with_holds(10)
    with pytest.raises(TooManyHolds):
        add(holds, 10, at=WINDOW - INSTANT)

    assert len(add(holds, 10, at=WINDOW).windows) == 11


def test_cancelled_and_paid_orders_do_not_count() -> None:
    orders = [order(0, OrderStatus.CANCELLED), order(1, OrderStatus.AWAITING_PAYMENT), order(2, OrderStatus.COMPLETED)]
    holds = with_holds(10).without_ended(orders)

    assert set(holds.windows) == {ticket(number) for number in (0, *range(3, 10))}
    for number in (10, 11, 12):
        holds = add(holds, number)
    with pytest.raises(TooManyHolds):
        add(holds, 13)


def test_only_the_latest_order_of_a_ticket_counts() -> None:
    holds = with_holds(10).without_ended([order(0, OrderStatus.CREATED), order(0, OrderStatus.CANCELLED)])

    with pytest.raises(TooManyHolds):
        add(holds, 10)


def test_ordering_again_after_cancelling_does_not_extend_the_window() -> None:
    holds = add(add(NOBODY, 1), 1, at=timedelta(minutes=4))

    assert holds.windows == {ticket(1): NOW + WINDOW}


@pytest.mark.parametrize(("after", "seconds"), [(WINDOW, 300), (WINDOW + INSTANT, 300), (2 * WINDOW - INSTANT, 1)])
def test_a_lapsed_ticket_is_refused_for_one_window(after: timedelta, seconds: int) -> None:
    with pytest.raises(RecentlyLapsed) as refused:
        add(add(NOBODY, 1), 1, at=after)

    assert refused.value.retry_after == seconds


def test_a_lapsed_ticket_can_be_held_again_one_window_later() -> None:
    holds = add(add(NOBODY, 1), 1, at=2 * WINDOW)

    assert holds.windows == {ticket(1): NOW + 3 * WINDOW}


def test_other_tickets_can_be_held_after_a_lapse() -> None:
    assert ticket(2) in add(add(NOBODY, 1), 2, at=WINDOW).windows


def test_many_cancelled_orders_wait_for_the_first_to_be_forgotten() -> None:
    """Otherwise they could push out the memory of a lapsed ticket, or let the record grow without bound."""
    holds = NOBODY
    for number in range(10 + REMEMBERED):
        holds = add(holds, number).without_ended([order(number, OrderStatus.CANCELLED) for number in range(100)])
    with pytest.raises(TooManyHolds) as refused:
        add(holds, 100)

    assert refused.value.retry_after == 600


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 200)), max_size=60), st.integers(1, 4))
def test_no_sequence_of_orders_exceeds_limit_or_window(steps: list[tuple[int, int]], limit: int) -> None:
    """Nothing is ever paid or cancelled: every accepted order is live until its deadline."""
    holds, now = NOBODY, NOW
    ends: dict[TicketID, datetime] = {}
    for number, seconds in steps:
        now += timedelta(seconds=seconds)
        try:
            holds = holds.add(ticket(number), limit=limit, window=WINDOW, now=now)
        except (TooManyHolds, RecentlyLapsed):
            continue
        end, earlier = holds.windows[ticket(number)], ends.get(ticket(number))
        assert now < end <= now + WINDOW
        assert earlier is None or end == earlier or now >= earlier + WINDOW
        ends[ticket(number)] = end
        assert sum(now < end for end in ends.values()) <= limit
