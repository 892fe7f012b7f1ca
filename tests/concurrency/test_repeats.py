"""The same request 20 times concurrently."""

import json
from collections import Counter
from typing import Any

from shared.ids import new_id
from shared.table import _to_dynamodb
from tests.support.lambda_events import Person, sqs_batch
from tests.support.race_environment import RECEIPTS, Sandbox, http, mails_to, order, paid, person, receipt, webhook
from tests.support.worker_pool import Invocation, Outcome


def test_one_key_places_one_order(sandbox: Sandbox) -> None:
    [ticket] = sandbox.on_sale(1)
    buyer = person()

    answers = _one_effect(sandbox.at_once([order(ticket, buyer, key="key-1") for _ in range(20)]), 201)

    assert [item["id"] for item in sandbox.orders()] == [answers["id"]]


def test_one_key_puts_one_ticket_on_sale(sandbox: Sandbox) -> None:
    body = {"title": "Row 1, seat 1", "price": "10.00"}
    seller = person()

    answers = _one_effect(
        sandbox.at_once([http("POST", "/api/tickets", body, by=seller, key="key-1") for _ in range(20)]), 201
    )

    tickets = [item for item in sandbox.items("tickets") if item["pk"].startswith("ticket#")]
    assert [item["id"] for item in tickets] == [answers["id"]]


def test_a_seller_who_connects_many_times_has_one_account(sandbox: Sandbox) -> None:
    seller = person()

    outcomes = sandbox.at_once([http("POST", "/api/payouts/account", by=seller) for _ in range(20)])

    # Stripe refuses a call under a key while another one is in progress.
    assert {(outcome.status, outcome.code) for outcome in outcomes} <= {(200, ""), (503, "stripe_unavailable")}
    connected = [outcome.json["url"] for outcome in outcomes if outcome.status == 200]
    assert connected
    assert len(set(connected)) == len(connected)
    ours = [
        account
        for account in sandbox.stripe("/v1/accounts?limit=100")["data"]
        if account["metadata"].get("userID") == seller.id
    ]
    [item] = [item for item in sandbox.items("payments") if item["pk"].startswith("account#")]
    assert [account["id"] for account in ours] == [item["stripeAccount"]]
    assert item["attempt"] == 1
    pages = [url.partition("/local/")[2] for url in connected]
    assert {sandbox.stripe(f"/local/{page}/open", "")["account"] for page in pages} == {item["stripeAccount"]}


def test_twenty_refunds_of_a_sale_are_decided_once(sandbox: Sandbox) -> None:
    seller, buyer = person(), person()
    [ticket] = sandbox.on_sale(1, seller=seller)
    [placed] = sandbox.at_once([order(ticket, buyer)])
    for event_type in ("payment:authorized", "payment:created"):
        [outcome] = sandbox.at_once([paid(event_type, placed.json)])
        assert outcome.is_taken

    path = f"/api/orders/{placed.json['id']}/refund"
    outcomes = sandbox.at_once([http("POST", path, {}, by=seller) for _ in range(20)])

    assert {(outcome.status, outcome.code) for outcome in outcomes} == {(202, "")}
    [item] = sandbox.orders()
    assert (item["status"], item["version"]) == ("refunding", 4)


def test_one_key_with_two_bodies_has_one_effect(sandbox: Sandbox) -> None:
    first, second = sandbox.on_sale(2)
    buyer = person()

    outcomes = sandbox.at_once([order(ticket, buyer, key="key-1") for _ in range(10) for ticket in (first, second)])

    assert {(o.status, o.code) for o in outcomes} <= {
        (201, ""),
        (409, "idempotency_in_progress"),
        (422, "idempotency_key_reused"),
    }
    assert len(sandbox.orders()) == 1


def test_one_key_edits_once(sandbox: Sandbox) -> None:
    seller = person()
    [ticket] = sandbox.on_sale(1, seller=seller)
    body = {"title": "Row 1, seat 1", "price": "11.00"}

    edit = [http("PUT", f"/api/tickets/{ticket}", body, by=seller, key="key-1") for _ in range(20)]
    answers = _one_effect(sandbox.at_once(edit, courier=True), 200)

    assert answers["version"] == 3
    [item] = [item for item in sandbox.items("tickets") if item["pk"].startswith("ticket#")]
    assert (item["version"], len(item["decisions"])) == (3, 1)


def test_20_starts_of_one_payment_open_one_payment_intent(sandbox: Sandbox) -> None:
    placed, buyer = _order(sandbox)

    outcomes = sandbox.at_once([http("POST", "/api/payments", {"orderId": placed["id"]}, by=buyer) for _ in range(20)])

    assert {outcome.status for outcome in outcomes} <= {200, 201}
    assert len({outcome.json["stripeId"] for outcome in outcomes}) == 1
    assert Counter(intent["status"] for intent in _intents(sandbox, placed)) == {
        "requires_payment_method": 1,
        "canceled": len(_intents(sandbox, placed)) - 1,
    }


def test_20_payments_of_one_order_hold_the_money_once(sandbox: Sandbox) -> None:
    placed, buyer = _order(sandbox)
    body = {"orderId": placed["id"], "token": "tok_visa"}

    outcomes = sandbox.at_once([http("POST", "/api/payments", body, by=buyer) for _ in range(20)])

    # 503: five other attempts are in progress, each of which may still be declined.
    assert {outcome.status for outcome in outcomes} <= {200, 201, 503}, [o.answer for o in outcomes]
    assert {outcome.json["status"] for outcome in outcomes if outcome.status != 503} == {"authorized"}
    assert Counter(intent["status"] for intent in _intents(sandbox, placed))["requires_capture"] == 1
    sandbox.settle()
    _is_sold_once(sandbox, placed)


def test_20_declining_cards_at_once_reach_stripe_five_times(sandbox: Sandbox) -> None:
    placed, buyer = _order(sandbox)
    body = {"orderId": placed["id"], "token": "tok_chargeDeclined"}

    outcomes = sandbox.at_once([http("POST", "/api/payments", body, by=buyer) for _ in range(20)])
    while not all(outcome.code == "too_many_declines" for outcome in outcomes):
        outcomes = sandbox.at_once([http("POST", "/api/payments", body, by=buyer) for _ in range(5)])

    payment = _payment(sandbox)
    events = sandbox.stripe("/v1/events?type=charge.failed&limit=100")["data"]
    failed = [event for event in events if event["data"]["object"]["payment_intent"] == payment["stripeID"]]
    assert len(failed) == len(payment["declines"]) == 5
    assert payment["status"] == "voided"


def test_one_webhook_20_times_publishes_and_captures_once(sandbox: Sandbox) -> None:
    placed, buyer = _order(sandbox)
    [started] = sandbox.at_once([http("POST", "/api/payments", {"orderId": placed["id"]}, by=buyer)])
    stripe_id = started.json["stripeId"]
    sandbox.stripe(f"/v1/payment_intents/{stripe_id}/confirm", "payment_method=pm_card_visa")
    [notification] = [
        event
        for event in sandbox.stripe("/v1/events?type=payment_intent.amount_capturable_updated&limit=100")["data"]
        if event["data"]["object"]["id"] == stripe_id
    ]

    outcomes = sandbox.at_once([webhook(notification) for _ in range(20)])

    assert {outcome.status for outcome in outcomes} == {200}
    payment = _payment(sandbox)
    assert (payment["status"], payment["version"]) == ("authorized", 1)
    sandbox.settle()
    _is_sold_once(sandbox, placed)
    assert {outcome.status for outcome in sandbox.at_once([webhook(notification) for _ in range(20)])} == {200}
    _is_sold_once(sandbox, placed)


def test_one_order_event_20_times_captures_once(sandbox: Sandbox) -> None:
    placed, buyer = _order(sandbox)
    body = {"orderId": placed["id"], "token": "tok_visa"}
    sandbox.one(http("POST", "/api/payments", body, by=buyer))
    [authorized] = sandbox.published()
    sandbox.one(_delivered(authorized, "orders"))
    [awaiting] = sandbox.published()

    calls = [_delivered(awaiting, service) for service in ("payments", "tickets") * 10]
    for _ in range(RECEIPTS):
        # Each of the ten publishes the outcome again, so one may run out of attempts on version conflicts; SQS
        # redelivers its message.
        outcomes = sandbox.at_once(calls) if calls else []
        calls = [call for call, outcome in zip(calls, outcomes, strict=True) if not outcome.is_taken]
    assert not calls

    sandbox.settle()
    _is_sold_once(sandbox, placed)


def _order(sandbox: Sandbox) -> tuple[dict[str, Any], Person]:
    buyer = person()
    [placed] = sandbox.ordered(sandbox.on_sale(1), [buyer])
    sandbox.settle()
    return placed, buyer


def _delivered(event: dict[str, Any], service: str) -> Invocation:
    return Invocation(f"{service}.listener", sqs_batch(event))


def _is_sold_once(sandbox: Sandbox, placed: dict[str, Any]) -> None:
    [item] = sandbox.orders()
    assert (item["id"], item["status"]) == (placed["id"], "completed")
    payment = _payment(sandbox)
    assert (payment["status"], payment["orderStatus"]) == ("captured", "completed")
    [captured] = [intent for intent in _intents(sandbox, placed) if intent["status"] != "canceled"]
    assert (captured["status"], captured["amount_received"]) == ("succeeded", 1000)
    assert captured["latest_charge"]
    [ticket] = [item for item in sandbox.items("tickets") if item["pk"].startswith("ticket#")]
    assert "soldAt" in ticket


def _payment(sandbox: Sandbox) -> dict[str, Any]:
    [payment] = [item for item in sandbox.items("payments") if item["pk"].startswith("order#")]
    return payment


def _intents(sandbox: Sandbox, placed: dict[str, Any]) -> list[dict[str, Any]]:
    found = sandbox.stripe("/v1/payment_intents?limit=100")["data"]
    return [intent for intent in found if intent["metadata"]["orderID"] == placed["id"]]


def _one_effect(outcomes: list[Outcome], status: int) -> Any:
    """The one answer: every caller got it, or was refused because the first call was still running."""
    answered = [outcome for outcome in outcomes if outcome.status == status]
    assert {outcome.code for outcome in outcomes if outcome.status != status} <= {"idempotency_in_progress"}
    assert answered
    assert len({json.dumps(outcome.json, sort_keys=True) for outcome in answered}) == 1
    return answered[0].json


def test_a_receipt_that_is_delivered_20_times_at_once_is_one_mail(sandbox: Sandbox) -> None:
    buyer = person()
    address = f"{buyer.id.lower()}@example.com"
    user = {"pk": f"user#{buyer.id}", "id": buyer.id, "email": address, "emailVerified": True}
    sandbox.race_environment.database.put_item(TableName=sandbox.tables["auth"], Item=_to_dynamodb(user))
    event = receipt(buyer, new_id())

    outcomes = sandbox.at_once([event for _ in range(20)])

    assert any(outcome.is_taken for outcome in outcomes)
    assert mails_to(address, sandbox.race_environment.environment["SES_MESSAGES"]) == 1
    [record] = [item for item in sandbox.items("auth") if item["pk"].startswith("mail#")]
    assert "sentAt" in record
