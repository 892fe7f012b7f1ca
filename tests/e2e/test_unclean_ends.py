"""However the stack ends, money and tickets agree after the next start."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.api_client import Client
from local.cloud.local_aws import state_file
from local.stack import LOCAL_STRIPE_KEYS
from tests.e2e.conftest import WINDOW, Marketplace, eventually
from tests.support.processes import kill

PATIENT_WINDOW = 600


@pytest.fixture(scope="module", autouse=True)
def _window_longer_than_a_restart(marketplace: Marketplace) -> Iterator[None]:
    _set_window(marketplace, PATIENT_WINDOW)
    yield
    _set_window(marketplace, WINDOW)


def test_a_purchase_continues_after_ctrl_c(marketplace: Marketplace, seller: Client, alice: Client) -> None:
    order = marketplace.order(alice, marketplace.sell(seller))
    marketplace.pay(alice, order).expect(201)
    assert marketplace.stack.stop() is None
    marketplace.stack.start()
    marketplace.settle_purchase(alice, order)


def test_a_killed_local_aws_loses_no_purchase(
    marketplace: Marketplace, seller: Client, alice: Client, bob: Client
) -> None:
    first = marketplace.order(alice, marketplace.sell(seller))
    second = marketplace.order(bob, marketplace.sell(seller))
    marketplace.pay(alice, first).expect(201)
    marketplace.stack.aws.save()  # with what the first payment has set off
    obstacle = state_file(marketplace.stack.folder).with_suffix(".new")
    obstacle.mkdir()
    marketplace.pay(bob, second).expect(201)
    kill(marketplace.stack.aws)
    assert "what happened after that is lost" in (marketplace.stack.stop() or "")
    obstacle.rmdir()
    marketplace.stack.start()
    marketplace.settle_purchase(alice, first)
    marketplace.pay(bob, second).expect(201)
    marketplace.settle_purchase(bob, second)
    for order in (first, second):
        eventually(lambda order=order: _money_of(marketplace, order) == ["succeeded"], "nobody pays twice")  # type: ignore[misc]


def _money_of(marketplace: Marketplace, order: dict[str, Any]) -> list[str]:
    """Return the statuses of the order's PaymentIntents at Stripe, except cancelled ones."""
    stripe = Client(marketplace.stack.stripe_url, token=LOCAL_STRIPE_KEYS.secret)
    intents = stripe.get("/v1/payment_intents?limit=100").expect(200)["data"]
    statuses = [intent["status"] for intent in intents if intent["metadata"].get("orderID") == order["id"]]
    return [status for status in statuses if status != "canceled"]


def _set_window(marketplace: Marketplace, seconds: int) -> None:
    functions = marketplace.stack.aws.functions()
    (orders,) = (
        each
        for page in functions.get_paginator("list_functions").paginate()
        for each in page["Functions"]
        if each["Handler"] == "functions.orders.api.handler"
    )
    variables = orders["Environment"]["Variables"] | {"ORDER_WINDOW_SECONDS": str(seconds)}
    functions.update_function_configuration(FunctionName=orders["FunctionName"], Environment={"Variables": variables})
