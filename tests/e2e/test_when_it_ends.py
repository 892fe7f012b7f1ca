"""Money and tickets agree after the next start, however the stack has ended. The last of these tests: it restarts."""

from typing import Any

import pytest

from local.api import Api
from local.local_aws import state_file
from local.stack import LOCAL_STRIPE_KEYS
from tests.e2e.conftest import Market, eventually
from tests.killing import kill

PATIENT_WINDOW = 600


@pytest.fixture(scope="module", autouse=True)
def _window_longer_than_a_restart(market: Market) -> None:
    functions = market.stack.aws.functions()
    (orders,) = (
        each
        for page in functions.get_paginator("list_functions").paginate()
        for each in page["Functions"]
        if each["Handler"] == "functions.orders.api.handler"
    )
    variables = orders["Environment"]["Variables"] | {"ORDER_WINDOW_SECONDS": str(PATIENT_WINDOW)}
    functions.update_function_configuration(FunctionName=orders["FunctionName"], Environment={"Variables": variables})


def test_a_purchase_goes_on_that_ctrl_c_has_interrupted(market: Market, seller: Api, alice: Api) -> None:
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
    """The statuses of the order's PaymentIntents at Stripe that were not let go of."""
    stripe = Api(market.stack.stripe_url, token=LOCAL_STRIPE_KEYS.secret)
    intents = stripe.get("/v1/payment_intents?limit=100").expect(200)["data"]
    statuses = [intent["status"] for intent in intents if intent["metadata"].get("orderID") == order["id"]]
    return [status for status in statuses if status != "canceled"]
