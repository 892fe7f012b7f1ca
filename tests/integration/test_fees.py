"""The fee on a sale: shown to sellers, and frozen in each order."""

import pytest

from shared import settings
from tests.integration.placing import offer, place
from tests.support.world import World


def test_anybody_can_read_the_fee(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEE_PERCENT", "2.90")
    monkeypatch.setenv("FEE_FIXED", "0.5")
    settings.load.cache_clear()

    answer = world.call("GET", "/api/fee")

    assert answer.status == 200
    assert answer.json == {"percent": "2.9", "fixed": "0.50", "currency": "usd"}


def test_an_order_publishes_its_seller_and_keeps_its_fee(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seller, buyer = world.person(), world.person()
    order = place(world, offer(world, seller, price="45.00"), buyer).json
    (created,) = world.published()
    monkeypatch.setenv("FEE_PERCENT", "50")
    settings.load.cache_clear()

    assert world.call("DELETE", f"/api/orders/{order['id']}", by=buyer).status == 204

    (cancelled,) = world.published()
    for event in (created, cancelled):
        ticket = event["detail"]["data"]["ticket"]
        assert (ticket["sellerID"], ticket["fee"]) == (seller.id, "2.25")


def test_the_buyer_does_not_see_the_fee(world: World) -> None:
    buyer = world.person()
    order = place(world, offer(world, world.person()), buyer).json

    assert order["ticket"].keys() == {"id", "title", "price", "currency"}


def test_an_order_from_before_fees_is_published_without_one(world: World) -> None:
    buyer = world.person()
    order = place(world, offer(world, world.person()), buyer).json
    world.tables.resource.Table("orders").update_item(
        Key={"pk": f"user#{buyer.id}", "sk": f"order#{order['id']}"}, UpdateExpression="REMOVE sellerID, fee"
    )
    world.published()

    world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)

    (cancelled,) = world.published()
    assert not cancelled["detail"]["data"]["ticket"].keys() & {"sellerID", "fee"}
