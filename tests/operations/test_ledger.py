"""The comparison of the table of Payments with Stripe: what agrees, what differs, and what is still moving."""

import json
from contextlib import closing
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import stripe as sdk

from operations import ledger as tool
from operations.ledger import SETTLES_WITHIN, Books, Checked
from operations.stage import DeployedStage
from stripe_emulator.account import SECRET_KEY
from tests.support.lambda_events import Person
from tests.support.stripe_in_process import Stripe
from tests.support.world import World

PRICE, FEE, NET = 1250, 63, 1187


def buy(world: World, stripe: Stripe) -> dict[str, Any]:
    """Sell a ticket; return the payment's item."""
    seller, buyer = world.person("seller@example.com"), world.person("buyer@example.com")
    ticket = world.call("POST", "/api/tickets", {"title": "A seat", "price": "12.50"}, by=seller).json["id"]
    world.settle(without=("expiration",))
    return pay(world, stripe, ticket, buyer)


def pay(world: World, stripe: Stripe, ticket: str, buyer: Person) -> dict[str, Any]:
    order = world.call("POST", "/api/orders", {"ticketID": ticket}, by=buyer).json["id"]
    world.settle(without=("expiration",))
    assert world.call("POST", "/api/payments", {"orderId": order, "token": "tok_visa"}, by=buyer).status == 201
    settle(world, stripe)
    return item(world, f"order#{order}")


def settle(world: World, stripe: Stripe) -> None:
    """Deliver all webhooks and events."""
    for _ in range(3):
        stripe.webhooks(world)
        world.settle(without=("expiration",))


def item(world: World, key: str) -> dict[str, Any]:
    return next(each for each in world.items("payments") if each["pk"] == key)


def change(world: World, key: str, **values: Any) -> None:
    """Change attributes of an item, as a defect would."""
    table = world.tables.resource.Table("payments")
    for name, value in values.items():
        table.update_item(
            Key={"pk": key},
            UpdateExpression="SET #name = :value",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={":value": value},
        )


def earn(world: World, payment: dict[str, Any], **values: Any) -> None:
    """Record the seller's earnings from an order."""
    order = payment["orderID"]
    recorded: dict[str, Any] = {
        "pk": f"earning#{order}",
        "orderID": order,
        "orderStatus": "completed",
        "price": PRICE,
        "fee": FEE,
    }
    world.tables.resource.Table("payments").put_item(Item=recorded | values)


def send(stripe: Stripe, payment: dict[str, Any], amount: int = NET) -> str:
    """Transfer an amount of a payment to a new account; return the transfer's id."""
    account = stripe.api("POST", "/v1/accounts", "capabilities[transfers][requested]=true")["id"]
    stripe.api("POST", f"/local/accounts/{account}", "status=ready")
    charge = stripe.api("GET", f"/v1/payment_intents/{payment['stripeID']}")["latest_charge"]
    form = f"amount={amount}&currency=usd&destination={account}&source_transaction={charge}"
    return str(stripe.api("POST", "/v1/transfers", form)["id"])


def check(world: World, stripe: Stripe, *, wait: timedelta = SETTLES_WITHIN) -> list[Checked]:
    """Compare everything, after a time in which nothing moves."""
    world.time.advance(seconds=wait.total_seconds() + 1)
    now = world.time.now()
    client = sdk.StripeClient(SECRET_KEY, http_client=stripe)
    with closing(Books("test")) as books:
        since = now - timedelta(days=30)
        return [*tool.compare(books, client=client, table="payments", since=since, until=now, now=now)]


def found(world: World, stripe: Stripe) -> tuple[str, ...]:
    """Return what differs for the only order."""
    [result] = check(world, stripe)
    assert not result.is_moving
    return result.differences


def test_the_books_of_a_purchase_agree(world: World, stripe: Stripe) -> None:
    payments = [buy(world, stripe) for _ in range(3)]
    assert sorted(each.order_id for each in check(world, stripe)) == sorted(each["orderID"] for each in payments)
    assert not any(each.differences or each.is_moving for each in check(world, stripe))


def test_the_books_of_a_paid_seller_agree(world: World, stripe: Stripe) -> None:
    payment = buy(world, stripe)
    earn(world, payment, transferred=NET)
    send(stripe, payment)
    assert found(world, stripe) == ()


def test_the_books_of_held_earnings_agree(world: World, stripe: Stripe) -> None:
    earn(world, buy(world, stripe))
    assert found(world, stripe) == ()


def test_the_books_of_a_refund_after_the_transfer_agree(world: World, stripe: Stripe) -> None:
    payment = buy(world, stripe)
    transfer = send(stripe, payment)
    stripe.api("POST", "/v1/refunds", f"payment_intent={payment['stripeID']}")
    stripe.api("POST", f"/v1/transfers/{transfer}/reversals")
    settle(world, stripe)
    earn(world, payment, orderStatus="refunded", orderRefunded=PRICE, transferred=NET, reversed=NET)
    assert found(world, stripe) == ()


def test_the_books_of_a_partial_refund_agree(world: World, stripe: Stripe) -> None:
    payment = buy(world, stripe)
    stripe.api("POST", "/v1/refunds", f"payment_intent={payment['stripeID']}&amount=250")
    settle(world, stripe)
    send(stripe, payment, NET - 250)
    earn(world, payment, orderRefunded=250, transferred=NET - 250)
    assert found(world, stripe) == ()


@pytest.mark.parametrize("status", ["won", "lost"])
def test_the_books_of_a_dispute_agree_once_it_is_closed(world: World, stripe: Stripe, status: str) -> None:
    payment = buy(world, stripe)
    dispute = stripe.api("POST", "/local/disputes", f"payment_intent={payment['stripeID']}")["id"]
    settle(world, stripe)
    [open_one] = check(world, stripe)
    stripe.api("POST", f"/local/disputes/{dispute}/close", f"status={status}")
    settle(world, stripe)

    assert open_one.is_moving
    assert found(world, stripe) == ()


def test_what_differs_is_named(world: World, stripe: Stripe) -> None:
    payment = buy(world, stripe)
    key = payment["pk"]
    change(world, key, amount=1000)
    assert found(world, stripe) == ("captured 10.00 here, 12.50 at Stripe",)
    change(world, key, amount=PRICE, refunded=300)
    assert found(world, stripe) == ("returned 3.00 here, 0.00 at Stripe",)


def test_a_transfer_that_is_not_recorded_differs(world: World, stripe: Stripe) -> None:
    payment = buy(world, stripe)
    earn(world, payment)
    send(stripe, payment)
    assert found(world, stripe) == (
        "transferred 0.00 here, 11.87 at Stripe",
        "captured 12.50 is not the sum of returned 0.00, sent 11.87, fee 0.63, held 11.87",
    )


def test_a_recorded_reversal_that_stripe_lacks_differs(world: World, stripe: Stripe) -> None:
    payment = buy(world, stripe)
    send(stripe, payment)
    earn(world, payment, transferred=NET, reversed=NET)
    assert "taken back 11.87 here, 0.00 at Stripe" in found(world, stripe)


def test_a_transfer_of_too_much_does_not_add_up(world: World, stripe: Stripe) -> None:
    """Both sides agree about it, and yet the marketplace lacks its fee."""
    payment = buy(world, stripe)
    send(stripe, payment, PRICE)
    earn(world, payment, transferred=PRICE)
    assert found(world, stripe) == ("captured 12.50 is not the sum of returned 0.00, sent 12.50, fee 0.63, held 0.00",)


def test_a_capture_that_stripe_lacks_differs(world: World, stripe: Stripe) -> None:
    payment = buy(world, stripe)
    change(world, payment["pk"], stripeID="pi_unknown")
    missing, unrecorded = check(world, stripe)
    assert missing.differences == ("captured 12.50 here, nothing at Stripe",)
    assert unrecorded.differences == ("captured 12.50 at Stripe for a payment that is not recorded",)


def test_an_unrecorded_charge_that_was_returned_is_no_difference(world: World, stripe: Stripe) -> None:
    card = "confirm=true&payment_method=pm_card_visa&allowed_payment_method_types[]=card"
    form = f"amount=1250&currency=usd&{card}&metadata[stage]=test&metadata[orderID]=01ARZ3NDEKTSV4RRFFQ69G5FAV"
    made = stripe.api("POST", "/v1/payment_intents", form)
    stripe.api("POST", "/v1/refunds", f"payment_intent={made['id']}")
    assert found(world, stripe) == ()


def test_money_of_other_stages_is_not_compared(world: World, stripe: Stripe) -> None:
    card = "confirm=true&payment_method=pm_card_visa&allowed_payment_method_types[]=card"
    stripe.api("POST", "/v1/payment_intents", f"amount=1250&currency=usd&{card}&metadata[stage]=prod")
    stripe.api("POST", "/v1/payment_intents", f"amount=1250&currency=usd&{card}")
    assert check(world, stripe) == []


@pytest.mark.parametrize("moving", ["just now", "refunding", "pending refund", "transfer"])
def test_money_that_is_moving_is_not_compared(world: World, stripe: Stripe, moving: str) -> None:
    payment = buy(world, stripe)
    change(world, payment["pk"], refunded=1)
    wait = SETTLES_WITHIN
    match moving:
        case "just now":
            wait = SETTLES_WITHIN - timedelta(minutes=1)
        case "refunding":
            change(world, payment["pk"], orderStatus="refunding")
        case "pending refund":
            change(world, payment["pk"], refundStatus="pending")
        case "transfer":
            earn(world, payment, operation={"kind": "transfer", "number": 1})
    assert [each.is_moving for each in check(world, stripe, wait=wait)] == [True]


def test_a_refused_transfer_does_not_hide_a_difference(world: World, stripe: Stripe) -> None:
    payment = buy(world, stripe)
    change(world, payment["pk"], refunded=1)
    earn(world, payment, operation={"kind": "transfer", "number": 1, "answer": "refused"})
    assert found(world, stripe) == ("returned 0.01 here, 0.00 at Stripe",)


def test_only_charges_of_the_days_are_compared(world: World, stripe: Stripe) -> None:
    buy(world, stripe)
    sold_at = world.time.now()
    world.time.advance(seconds=3 * 24 * 3600)
    client = sdk.StripeClient(SECRET_KEY, http_client=stripe)
    for since, until, number in ((-1, 1, 1), (1, 2, 0), (-2, -1, 0)):
        with closing(Books("test")) as books:
            results = tool.compare(
                books,
                client=client,
                table="payments",
                since=sold_at + timedelta(days=since),
                until=sold_at + timedelta(days=until),
                now=world.time.now(),
            )
            assert len([*results]) == number


def test_a_payment_that_was_recorded_the_day_after_its_capture_is_found(world: World, stripe: Stripe) -> None:
    payment = buy(world, stripe)
    captured_at = world.time.now()
    since = captured_at + timedelta(hours=1)
    change(world, payment["pk"], paidAt=int((since + timedelta(hours=1)).timestamp() * 1000))
    now = captured_at + timedelta(days=2)
    with closing(Books("test")) as books:
        client = sdk.StripeClient(SECRET_KEY, http_client=stripe)
        assert [*tool.compare(books, client=client, table="payments", since=since, until=now, now=now)] == []


def test_all_pages_are_read(world: World, stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "PAGE", 2)
    for _ in range(3):
        payment = buy(world, stripe)
        earn(world, payment, transferred=NET)
        send(stripe, payment)
    assert [each.differences for each in check(world, stripe)] == [()] * 3


def test_the_report_counts_orders_that_differ(capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.report([Checked("a"), Checked("b", is_moving=True)]) == 0
    assert tool.report([Checked("a"), Checked("b", ("captured 1.00 here, 2.00 at Stripe",))]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "2 orders: 0 differ, 1 not compared because their money is moving",
        "order b: captured 1.00 here, 2.00 at Stripe",
        "2 orders: 1 differ, 0 not compared because their money is moving",
    ]


def test_the_command_publishes_how_many_orders_differ(
    world: World, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = buy(world, stripe)
    world.time.advance(seconds=SETTLES_WITHIN.total_seconds() + 1)
    monkeypatch.setattr(tool, "_client", lambda _: sdk.StripeClient(SECRET_KEY, http_client=stripe))
    monkeypatch.setattr(DeployedStage, "table", lambda _, service: service)
    published: list[dict[str, Any]] = []
    cloudwatch = SimpleNamespace(put_metric_data=lambda **request: published.append(request))
    monkeypatch.setattr(tool, "boto3", SimpleNamespace(client=lambda _: cloudwatch))
    first_day = f"{world.time.now() - timedelta(days=1):%Y-%m-%d}"
    monkeypatch.setattr("sys.argv", ["ledger", "--stage", "test", "--since", first_day])

    codes = [tool.main()]
    change(world, payment["pk"], amount=1)
    codes.append(tool.main())

    assert codes == [0, 1]
    assert [(each["Namespace"], each["MetricData"][0]["Value"]) for each in published] == [
        ("AdmitOne", 0),
        ("AdmitOne", 1),
    ]
    assert published[0]["MetricData"][0]["Dimensions"] == [{"Name": "stage", "Value": "test"}]


@pytest.mark.parametrize("outputs", [{}, {"PayoutSecretName": "empty"}])
def test_without_a_key_nothing_is_compared(
    world: World, outputs: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = json.dumps({"secretKey": "", "connectWebhookSecret": ""})
    if outputs:
        name = f"empty-{world.person().id}"
        outputs = {
            "PayoutSecretName": boto3.client("secretsmanager").create_secret(Name=name, SecretString=keys)["ARN"]
        }
    monkeypatch.setattr(DeployedStage, "outputs", lambda _: outputs)
    monkeypatch.setattr("sys.argv", ["ledger", "--stage", "dev", "--since", "2026-11-01"])
    assert tool.main() == 2
    assert "secret for sellers' money" in capsys.readouterr().err
