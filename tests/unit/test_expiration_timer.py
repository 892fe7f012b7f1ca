"""The time at which an order's timer fires."""

import re
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from functions.expiration.timer import has_passed, schedule_expression, schedule_name
from shared.ids import OrderID

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def due(expression: str) -> datetime:
    return datetime.strptime(expression, "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC)


def test_a_whole_second_is_unchanged() -> None:
    assert schedule_expression(NOW + timedelta(minutes=5), NOW) == "at(2026-11-23T12:05:00)"


def test_a_fraction_of_a_second_is_rounded_up() -> None:
    assert schedule_expression(NOW + timedelta(minutes=5, milliseconds=1), NOW) == "at(2026-11-23T12:05:01)"


def test_a_deadline_in_another_time_zone_is_the_same_instant() -> None:
    deadline = (NOW + timedelta(minutes=5)).astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert schedule_expression(deadline, NOW) == "at(2026-11-23T12:05:00)"


@given(st.integers(1, 10**9))
def test_a_timer_is_never_early_and_at_most_four_seconds_late(milliseconds: int) -> None:
    """A timer is never set in the past."""
    now = NOW + timedelta(milliseconds=milliseconds % 1000)
    deadline = now + timedelta(milliseconds=milliseconds)
    time = due(schedule_expression(deadline, now))

    assert deadline <= time < deadline + timedelta(seconds=4)
    assert time >= now + timedelta(seconds=3)


def test_a_deadline_has_passed_from_its_exact_instant_on() -> None:
    assert not has_passed(NOW, NOW - timedelta(milliseconds=1))
    assert has_passed(NOW, NOW)


def test_a_timers_name_is_valid_for_the_scheduler() -> None:
    assert re.fullmatch(r"[0-9a-zA-Z\-_.]{1,64}", schedule_name(OrderID("01ARZ3NDEKTSV4RRFFQ69G5FAV")))
