"""Workers, refunds and sales at once: a seller is paid once, for what stands, and the totals are the sums."""

from collections import Counter
from datetime import timedelta
from typing import Any

from shared import clock
from shared.ids import new_id
from tests.support.lambda_events import Person, sqs_batch
from tests.support.race_environment import Sandbox, delivery, http, person
from tests.support.worker_pool import Invocation

NET = 950
REFUND = {"amount": "10.00", "reason": "refunded_at_stripe", "at": "2026-11-27T10:00:00Z"}
RELEASED = timedelta(seconds=3)


def test_many_workers_pay_a_seller_once(sandbox: Sandbox) -> None:
    seller = person()
    _connect(sandbox, seller)
    [order] = _sold(sandbox, seller, 1)

    sandbox.at_once([_look(order) for _ in range(16)])
    _come_to_rest(sandbox, [order])

    [transfer] = _transfers(sandbox, order)
    assert (transfer["amount"], transfer["metadata"]["number"]) == (NET, "1")
    assert _totals(sandbox, seller) == {"paid": NET}


def test_a_refund_races_the_transfer(sandbox: Sandbox) -> None:
    """Whichever comes first, nothing stays with the seller."""
    seller = person()
    _connect(sandbox, seller)
    orders = _sold(sandbox, seller, 6)

    looks = [_look(order) for order in orders for _ in range(2)]
    sandbox.at_once([call for pair in zip(looks, [_refunded(o) for o in orders] * 2, strict=True) for call in pair])
    _come_to_rest(sandbox, orders)

    for order in orders:
        assert sum(each["amount"] - each["amount_reversed"] for each in _transfers(sandbox, order)) == 0
    statuses = {item["status"] for item in sandbox.items("payments") if item["pk"].startswith("earning#")}
    assert statuses <= {"cancelled", "reversed"}
    assert sum(_totals(sandbox, seller).values()) == 6 * NET


def test_sales_of_one_seller_add_up(sandbox: Sandbox) -> None:
    seller = person()
    captured = [_captured(sandbox, seller) for _ in range(8)]

    sandbox.at_once([delivery("payments", "order:completed", _in(order, "completed", 3)) for order in captured] * 2)

    assert _totals(sandbox, seller) == {"held": 8 * NET}


def test_nothing_is_sent_while_a_reversal_is_open(sandbox: Sandbox) -> None:
    """The reversal is refused, so it stays open; transfers of the seller that race its beginning come before it."""
    seller = person()
    account = _connect(sandbox, seller)
    first, *others = _sold(sandbox, seller, 6)
    _come_to_rest(sandbox, [first])
    sandbox.stripe("/local/refusals", f"account={account}&call=reversal&code=balance_insufficient")
    assert sandbox.one(_refunded(first)).is_taken

    sandbox.at_once([_look(order) for order in (first, *others)])

    sent = [order for order in others if _transfers(sandbox, order)]
    [item] = [item for item in sandbox.items("payments") if item["pk"] == f"seller#{seller.id}"]
    assert item["reversing"] == 1
    for order in others:
        sandbox.one(_look(order))
    assert [order for order in others if _transfers(sandbox, order)] == sent


def _connect(sandbox: Sandbox, seller: Person) -> str:
    assert sandbox.one(http("POST", "/api/payouts/account", by=seller)).status == 200
    [item] = [item for item in sandbox.items("payments") if item["pk"] == f"account#{seller.id}"]
    account = str(item["stripeAccount"])
    sandbox.stripe(f"/local/accounts/{account}", "status=ready")
    return account


def _sold(sandbox: Sandbox, seller: Person, count: int) -> list[dict[str, Any]]:
    """Return completed orders of a seller's tickets, for 10.00 less a fee of 0.50 each."""
    orders = [_captured(sandbox, seller) for _ in range(count)]
    outcomes = sandbox.at_once(
        [delivery("payments", "order:completed", _in(order, "completed", 3)) for order in orders], processes=1
    )
    assert all(outcome.is_taken for outcome in outcomes)
    return orders


def _captured(sandbox: Sandbox, seller: Person) -> dict[str, Any]:
    buyer = person()
    ticket = {"id": new_id(), "title": "Row 1, seat 1", "price": "10.00", "currency": "usd", "hold": 1}
    order = {
        "id": new_id(),
        "version": 1,
        "status": "created",
        "userID": buyer.id,
        "expiresAt": clock.to_rfc3339(clock.now() + timedelta(minutes=5)),
        "ticket": ticket | {"sellerID": seller.id, "fee": "0.50"},
    }
    assert sandbox.one(delivery("payments", "order:created", order)).is_taken
    paid = sandbox.one(http("POST", "/api/payments", {"orderId": order["id"], "token": "tok_visa"}, by=buyer))
    assert paid.status == 201
    assert sandbox.one(delivery("payments", "order:awaiting-payment", _in(order, "awaiting:payment", 2))).is_taken
    return order


def _in(order: dict[str, Any], status: str, version: int, **more: Any) -> dict[str, Any]:
    return order | {"status": status, "version": version} | more


def _refunded(order: dict[str, Any]) -> Invocation:
    return delivery("payments", "order:refunded", _in(order, "refunded", 4, refund=REFUND))


def _look(order: dict[str, Any]) -> Invocation:
    return Invocation("payments.payout_worker", sqs_batch({"orderID": order["id"]}), clock.now() + RELEASED)


def _come_to_rest(sandbox: Sandbox, orders: list[dict[str, Any]]) -> None:
    """Look until no earnings have a step left, after the lease of what was given up, too."""
    for later in (RELEASED, 2 * RELEASED, timedelta(minutes=11), timedelta(minutes=12)):
        for order in orders:
            task = Invocation("payments.payout_worker", sqs_batch({"orderID": order["id"]}), clock.now() + later)
            assert sandbox.one(task).is_taken
    due = {item["orderID"] for item in sandbox.items("payments") if "lookAt" in item and "orderID" in item}
    assert not due & {order["id"] for order in orders}


def _transfers(sandbox: Sandbox, order: dict[str, Any]) -> list[dict[str, Any]]:
    return list(sandbox.stripe(f"/v1/transfers?transfer_group={order['id']}")["data"])


def _totals(sandbox: Sandbox, seller: Person) -> dict[str, int]:
    """Return the stored totals of a seller by status, which must be the sums of the earnings."""
    items = sandbox.items("payments")
    sums = Counter(
        {
            status: sum(each["price"] - each["fee"] for each in items if each.get("status") == status)
            for status in ("held", "due", "paid", "reversed", "cancelled")
        }
    )
    [stored] = [item for item in items if item["pk"] == f"seller#{seller.id}"]
    totals = {name.removesuffix("_usd"): number for name, number in stored.items() if name.endswith("_usd") and number}
    assert totals == dict(+sums)
    return totals
