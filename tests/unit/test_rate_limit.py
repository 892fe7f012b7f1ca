"""The counters of an attempt to sign in, and their windows."""

from datetime import UTC, datetime, timedelta

import pytest

from functions.auth.rate_limit import Counter, counters

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def names(email: str = "a@example.com", address: str = "203.0.113.7", now: datetime = NOON) -> list[str]:
    return [counter.name for counter in counters(email=email, address=address, now=now)]


def pair(now: datetime) -> Counter:
    return counters(email="a@example.com", address="203.0.113.7", now=now)[0]


def test_an_attempt_counts_for_pair_then_address_then_email() -> None:
    found = counters(email="a@example.com", address="203.0.113.7", now=NOON)

    assert [(one.name.partition("#")[0], one.limit) for one in found] == [
        ("email-address", 10),
        ("address", 300),
        ("email", 50),
    ]


def test_counters_show_no_email_and_no_address() -> None:
    shown = " ".join(names())

    assert "example" not in shown
    assert "203.0.113.7" not in shown


def test_another_address_shares_only_the_emails_counter() -> None:
    assert [one == other for one, other in zip(names(), names(address="203.0.113.8"), strict=True)] == [
        False,
        False,
        True,
    ]


def test_another_email_shares_only_the_addresss_counter() -> None:
    assert [one == other for one, other in zip(names(), names(email="b@example.com"), strict=True)] == [
        False,
        True,
        False,
    ]


def test_a_window_is_a_quarter_of_an_hour_by_the_clock() -> None:
    last = NOON + timedelta(minutes=15, milliseconds=-1)

    assert names(now=last) == names()
    assert set(names(now=NOON + timedelta(minutes=15))).isdisjoint(names())


@pytest.mark.parametrize(
    ("passed", "seconds"),
    [
        (timedelta(0), 900),
        (timedelta(milliseconds=1), 900),
        (timedelta(seconds=1), 899),
        (timedelta(minutes=14, seconds=59, milliseconds=999), 1),
    ],
)
def test_retry_after_is_never_too_early_and_never_zero(passed: timedelta, seconds: int) -> None:
    now = NOON + passed

    assert pair(now).retry_after(now) == seconds


def test_retry_after_past_the_windows_end_is_one_second() -> None:
    assert pair(NOON).retry_after(NOON + timedelta(hours=1)) == 1


def test_an_ipv6_customer_network_is_one_address() -> None:
    assert names(address="2001:db8::1") == names(address="2001:db8::ffff:ffff:ffff:ffff")
    assert names(address="2001:db8::1") == names(address="2001:0DB8:0:0::1")
    assert names(address="2001:db8::1") != names(address="2001:db8:0:1::1")


def test_an_ipv4_mapped_ipv6_address_is_the_ipv4_address() -> None:
    assert names(address="::ffff:203.0.113.7") == names()
    assert names(address="::ffff:203.0.113.8") != names()


def test_an_invalid_address_is_counted_unchanged() -> None:
    assert names(address="somewhere") != names(address="elsewhere")
