"""However the stack ends, money and tickets agree after the next start."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.api_client import Api
from local.cloud.local_aws import state_file
from local.stack import LOCAL_STRIPE_KEYS
from tests.e2e.conftest import WINDOW, Market, eventually
from tests.support.processes import kill

PATIENT_WINDOW = 600


@pytest.fixture(scope="module", autouse=True)
def _window_longer_than_a_restart(market: Market) -> Iterator[None]:
    _set_window(market, PATIENT_WINDOW)
    yield
    _set_window(market, WINDOW)


def test_a_purchase_continues_after_ctrl_c(market: Market, seller: Api, alice: Api) -> None:
    order = market.order(alice, market.sell(seller))
    market.pay(alice, order).expect(201)
    assert market.stack.stop() is None
    market.stack.start()
    market.settle_purchase(alice, order)


def test_a_killed_local_aws_loses_no_purchase(market: Market, seller: Api, alice: Api, bob: Api) -> None:
    first = market.order(alice, market.sell(seller))
    second = market.order(bob, market.sell(seller))
    market.pay(alice, first).expect(201)
    market.stack.aws.save()  # with what the first payment has set off
    obstacle = state_file(market.stack.folder).with_suffix(".new")
    obstacle.mkdir()
    market.pay(bob, second).expect(201)
    kill(market.stack.aws)
    assert "what happened after that is lost" in (market.stack.stop() or "")
    obstacle.rmdir()
    market.stack.start()
    market.settle_purchase(alice, first)
    market.pay(bob, second).expect(201)
    market.settle_purchase(bob, second)
    for order in (first, second):
        eventually(lambda order=order: _money_of(market, order) == ["succeeded"], "nobody pays twice")  # type: ignore[misc]


def _money_of(market: Market, order: dict[str, Any]) -> list[str]:
    """Return the statuses of the order's PaymentIntents at Stripe, except cancelled ones."""
    stripe = Api(market.stack.stripe_url, token=LOCAL_STRIPE_KEYS.secret)
    intents = stripe.get("/v1/payment_intents?limit=100").expect(200)["data"]
    statuses = [intent["status"] for intent in intents if intent["metadata"].get("orderID") == order["id"]]
    return [status for status in statuses if status != "canceled"]


def _set_window(market: Market, seconds: int) -> None:
    functions = market.stack.aws.functions()
    (orders,) = (
        each
        for page in functions.get_paginator("list_functions").paginate()
        for each in page["Functions"]
        if each["Handler"] == "functions.orders.api.handler"
    )
    variables = orders["Environment"]["Variables"] | {"ORDER_WINDOW_SECONDS": str(seconds)}
    functions.update_function_configuration(FunctionName=orders["FunctionName"], Environment={"Variables": variables})
