"""The circuit breaker's rules, and which answers of Stripe count as an outage."""

from datetime import UTC, datetime, timedelta

import pytest
import stripe

from functions.payments.circuit_breaker import MAX_OUTAGES, OPEN_FOR, CircuitBreaker
from functions.payments.stripe_gateway import _is_outage

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def opened() -> CircuitBreaker:
    breaker = CircuitBreaker()
    for _ in range(MAX_OUTAGES):
        assert not breaker.is_open(NOON)
        breaker.record(NOON, is_outage=True)
    return breaker


def test_consecutive_outages_open_the_circuit(opened: CircuitBreaker) -> None:
    assert opened.is_open(NOON)
    assert opened.is_open(NOON + OPEN_FOR - timedelta(milliseconds=1))


def test_an_answer_between_two_outages_keeps_the_circuit_closed() -> None:
    breaker = CircuitBreaker()
    for is_outage in (True, False, True):
        breaker.record(NOON, is_outage=is_outage)

    assert not breaker.is_open(NOON)


def test_after_a_pause_an_answer_closes_the_circuit(opened: CircuitBreaker) -> None:
    assert not opened.is_open(NOON + OPEN_FOR)
    opened.record(NOON + OPEN_FOR, is_outage=False)
    opened.record(NOON + OPEN_FOR, is_outage=True)

    assert not opened.is_open(NOON + OPEN_FOR)


def test_after_a_pause_one_outage_opens_the_circuit_again(opened: CircuitBreaker) -> None:
    opened.record(NOON + OPEN_FOR, is_outage=True)

    assert opened.is_open(NOON + OPEN_FOR)
    assert not opened.is_open(NOON + 2 * OPEN_FOR)


@pytest.mark.parametrize(
    ("status", "expected"), [(500, True), (503, True), (429, False), (409, False), (402, False), (400, False)]
)
def test_only_server_errors_are_outages(status: int, *, expected: bool) -> None:
    assert _is_outage(stripe.APIError("refused", http_status=status)) is expected


def test_a_missing_answer_is_an_outage() -> None:
    assert _is_outage(stripe.APIConnectionError("timed out"))  # type: ignore[no-untyped-call]
