"""While Stripe fails, buyers get an answer at once, and nothing of the background work is given up."""

from typing import Any

import pytest

from functions.payments.circuit_breaker import MAX_OUTAGES, OPEN_FOR
from functions.payments.stripe_gateway import BUYER_TIMEOUT_SECONDS, TIMEOUT_SECONDS
from tests.integration.placing import offer, place
from tests.support.faults import UNREACHABLE
from tests.support.lambda_events import Person
from tests.support.stripe_in_process import Stripe
from tests.support.world import Response, World


@pytest.fixture
def buyer(world: World) -> Person:
    return world.person("buyer@example.com")


@pytest.fixture
def order(world: World, stripe: Stripe, buyer: Person) -> dict[str, Any]:
    """Return a live order, of which Payments has a copy."""
    placed: dict[str, Any] = place(world, offer(world, world.person()), buyer).json
    world.settle(without=("expiration", "tickets"))
    return placed


def pay(world: World, order: dict[str, Any], by: Person, card: str = "tok_visa") -> Response:
    return world.call("POST", "/api/payments", {"orderId": order["id"], "token": card}, by=by)


def read(world: World, order: dict[str, Any], by: Person) -> Response:
    return world.call("GET", f"/api/payments/{order['id']}", by=by)


def open_circuit(world: World, stripe: Stripe, order: dict[str, Any], buyer: Person, call: str) -> None:
    """Let buyers' calls fail until the circuit opens, as while Stripe does not respond."""
    for _ in range(MAX_OUTAGES):
        stripe.inject(UNREACHABLE, call)
        assert pay(world, order, buyer).code == "stripe_unavailable"


def test_a_buyer_waits_for_stripe_less_long_than_background_work(
    world: World, stripe: Stripe, order: dict[str, Any], buyer: Person
) -> None:
    pay(world, order, buyer)
    assert stripe.timeout_seconds == BUYER_TIMEOUT_SECONDS < TIMEOUT_SECONDS

    world.settle(without=("expiration", "tickets"))
    assert stripe.timeout_seconds == TIMEOUT_SECONDS


def test_a_call_that_timed_out_for_a_buyer_is_not_repeated(
    world: World, stripe: Stripe, order: dict[str, Any], buyer: Person
) -> None:
    stripe.seconds_per_call = BUYER_TIMEOUT_SECONDS
    stripe.inject(UNREACHABLE, "payment_intents")
    started = world.time.now()

    assert pay(world, order, buyer).code == "stripe_unavailable"
    assert (world.time.now() - started).total_seconds() == BUYER_TIMEOUT_SECONDS
    assert len(stripe.calls) == 1


def test_while_stripe_fails_buyers_are_refused_at_once(
    world: World, stripe: Stripe, order: dict[str, Any], buyer: Person
) -> None:
    open_circuit(world, stripe, order, buyer, "payment_intents")
    stripe.calls.clear()
    answer = pay(world, order, buyer)

    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "stripe_unavailable", "2")
    assert stripe.calls == []


def test_while_stripe_fails_a_buyer_reads_the_recorded_payment(
    world: World, stripe: Stripe, order: dict[str, Any], buyer: Person
) -> None:
    open_circuit(world, stripe, order, buyer, "confirm")
    stripe.calls.clear()
    answer = read(world, order, buyer)

    assert (answer.status, answer.json["status"]) == (200, "open")
    assert stripe.calls == []


def test_payments_work_again_once_stripe_responds(
    world: World, stripe: Stripe, order: dict[str, Any], buyer: Person
) -> None:
    open_circuit(world, stripe, order, buyer, "payment_intents")
    world.time.advance(seconds=OPEN_FOR.total_seconds())

    assert pay(world, order, buyer).status == 201


def test_a_trial_that_fails_refuses_buyers_again(
    world: World, stripe: Stripe, order: dict[str, Any], buyer: Person
) -> None:
    open_circuit(world, stripe, order, buyer, "payment_intents")
    world.time.advance(seconds=OPEN_FOR.total_seconds())
    stripe.inject(UNREACHABLE, "payment_intents")
    assert pay(world, order, buyer).code == "stripe_unavailable"
    stripe.calls.clear()

    assert pay(world, order, buyer).code == "stripe_unavailable"
    assert stripe.calls == []


def test_declined_cards_do_not_open_the_circuit(
    world: World, stripe: Stripe, order: dict[str, Any], buyer: Person
) -> None:
    for _ in range(MAX_OUTAGES + 1):
        assert pay(world, order, buyer, "tok_chargeDeclined").code == "card_declined"


def test_captures_are_tried_while_buyers_are_refused(
    world: World, stripe: Stripe, order: dict[str, Any], buyer: Person
) -> None:
    other = place(world, offer(world, world.person()), buyer).json
    world.settle(without=("expiration", "tickets"))
    assert pay(world, order, buyer).status == 201
    open_circuit(world, stripe, other, buyer, "payment_intents")
    world.settle(without=("expiration", "tickets"))

    assert read(world, order, buyer).json["status"] == "captured"
    assert pay(world, other, buyer).code == "stripe_unavailable"
