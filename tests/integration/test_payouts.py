"""Sellers are paid once, after the release, and only for what stands; what must not stay is taken back."""

import os
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from functions.payments import payouts
from functions.payments.earning_store import SELLER_LOOK, EarningStore
from functions.payments.earnings import LEASE, Earning, EarningStatus
from functions.payments.payout_gateway import PayoutGateway
from shared import telemetry
from shared.ids import OrderID
from shared.table import Table
from shared.work_queue import WorkQueue
from tests.integration.earning import buy, order_event
from tests.support.faults import RESPONSE_LOST, UNREACHABLE
from tests.support.lambda_events import LambdaContext, Person
from tests.support.stripe_in_process import Stripe
from tests.support.world import World

NET = 1188


@pytest.fixture
def seller(world: World) -> Person:
    return world.person("seller@example.com")


@pytest.fixture
def store(world: World) -> EarningStore:
    world.items("payments")
    return EarningStore(Table("payments"))


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    counted: Counter[str] = Counter()
    monkeypatch.setattr(telemetry, "_put", lambda metric, value, _unit: counted.update({metric: value}))
    return counted


@pytest.fixture
def account(world: World, stripe: Stripe, seller: Person) -> str:
    """Return the seller's account at Stripe, which is ready."""
    return connect(world, stripe, seller)


@pytest.fixture
def order(world: World, stripe: Stripe, seller: Person) -> dict[str, Any]:
    """Return a completed order whose earnings are released, and worth more than the platform's own money."""
    made = buy(world, seller)
    stripe.calls.clear()
    world.time.advance(days=8)
    return made


def connect(world: World, stripe: Stripe, seller: Person, status: str = "ready") -> str:
    assert world.call("POST", "/api/payouts/account", by=seller).status == 200
    newest: str = stripe.api("GET", "/v1/accounts?limit=1")["data"][0]["id"]
    stripe.account.handle("POST", f"/local/accounts/{newest}", {}, f"status={status}")
    return newest


def pay_out(world: World) -> list[dict[str, str]]:
    """Run the finder and the worker, also on what the worker queues; return the tasks that return to the queue."""
    world.invoke("payments.payout_finder", {}, context=LambdaContext())
    return world.perform_tasks() + world.perform_tasks()


def earning_of(store: EarningStore, order: dict[str, Any]) -> Earning:
    found = store.earning(OrderID(order["id"]))
    assert found
    return found


def transfers(stripe: Stripe) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stripe.api("GET", "/v1/transfers?limit=100")["data"]
    return found


def balance(stripe: Stripe, account: str) -> int:
    return int(stripe.account._balances.total(account, "usd"))


def refuse(stripe: Stripe, account: str, call: str, code: str, kind: str = "invalid_request_error") -> None:
    form = f"account={account}&call={call}&code={code}&type={kind}"
    assert stripe.account.handle("POST", "/local/refusals", {}, form).status == 200


def refund(world: World, order: dict[str, Any], *, amount: str = "12.50", version: int = 4) -> None:
    status = "refunded" if amount == "12.50" else "completed"
    recorded = {"amount": amount, "reason": "refunded_at_stripe", "at": "2026-11-23T12:06:00Z"}
    assert world.deliver(order_event(world, order, status, version, refund=recorded), "payments")


# Release and transfer


def test_a_seller_is_paid_once(
    world: World, stripe: Stripe, store: EarningStore, account: str, order: dict[str, Any], metrics: Counter[str]
) -> None:
    for _ in range(3):
        pay_out(world)
        world.time.advance(days=1)

    [made] = transfers(stripe)
    assert (made["amount"], made["destination"], made["transfer_group"]) == (NET, account, order["id"])
    assert made["metadata"] == {"stage": "test", "orderID": order["id"], "number": "1"}
    assert made["source_transaction"] == stripe.intents()[0]["latest_charge"]
    assert balance(stripe, account) == NET
    paid = earning_of(store, order)
    assert (paid.shown, paid.transferred, paid.look_at) == (EarningStatus.PAID, NET, None)
    assert metrics["MoneyPaidOut"] == pytest.approx(11.88)
    assert metrics["PayoutLooks"] == 1


def test_a_seller_is_not_paid_before_the_release(world: World, stripe: Stripe, seller: Person, account: str) -> None:
    assert account
    buy(world, seller)
    world.time.advance(days=7, seconds=-1)
    pay_out(world)
    assert transfers(stripe) == []

    world.time.advance(seconds=1)
    pay_out(world)
    assert len(transfers(stripe)) == 1


@pytest.mark.usefixtures("account")
def test_a_payout_is_published(world: World, order: dict[str, Any]) -> None:
    pay_out(world)

    [event] = world.published({"payout:created"})
    assert (event["detail"]["data"]["id"], event["detail"]["data"]["amount"]) == (order["id"], "11.88")


def test_a_look_before_its_time_does_nothing(
    world: World, stripe: Stripe, store: EarningStore, seller: Person, account: str
) -> None:
    assert account
    early = buy(world, seller)
    payouts.look(store, PayoutGateway(), OrderID(early["id"]))

    assert transfers(stripe) == []


@pytest.mark.usefixtures("account")
def test_a_look_at_what_is_over_needs_no_call(
    world: World, stripe: Stripe, store: EarningStore, order: dict[str, Any]
) -> None:
    pay_out(world)
    stripe.calls.clear()
    payouts.look(store, PayoutGateway(), OrderID(order["id"]))

    assert stripe.calls == []


def test_a_lost_payment_record_fails_the_look(
    world: World, stripe: Stripe, store: EarningStore, account: str, order: dict[str, Any], metrics: Counter[str]
) -> None:
    assert account
    world.tables.resource.Table("payments").delete_item(Key={"pk": f"order#{order['id']}"})
    pay_out(world)

    assert metrics["RepairsFailed"] == 1
    assert transfers(stripe) == []
    assert earning_of(store, order).look_at


# Answers that are lost, refused or failed


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("kind", [UNREACHABLE, RESPONSE_LOST])
def test_a_transfer_whose_answer_was_lost_is_made_once(
    world: World, stripe: Stripe, store: EarningStore, order: dict[str, Any], kind: Any
) -> None:
    stripe.inject(kind, "transfers")
    pay_out(world)
    sending = earning_of(store, order)
    assert (sending.shown, sending.number) == (EarningStatus.DUE, 1)

    pay_out(world)
    assert [each["metadata"]["number"] for each in transfers(stripe)] == ["1"]
    assert earning_of(store, order).shown is EarningStatus.PAID


@pytest.mark.usefixtures("account")
def test_a_key_that_stripe_has_forgotten_pays_no_second_time(
    world: World, stripe: Stripe, store: EarningStore, order: dict[str, Any]
) -> None:
    stripe.inject(RESPONSE_LOST, "transfers")
    pay_out(world)
    world.time.advance(days=2)
    pay_out(world)

    assert len(transfers(stripe)) == 1
    assert earning_of(store, order).shown is EarningStatus.PAID


def test_a_refused_transfer_is_tried_again_under_the_next_number(
    world: World, stripe: Stripe, store: EarningStore, account: str, order: dict[str, Any]
) -> None:
    refuse(stripe, account, "transfer", "balance_insufficient")
    pay_out(world)
    pay_out(world)
    assert earning_of(store, order).number == 1, "not at once"

    stripe.account._tables._tables["refusals"].clear()
    world.time.advance(minutes=5)
    pay_out(world)
    assert [each["metadata"]["number"] for each in transfers(stripe)] == ["2"]


def test_after_a_failure_of_stripe_the_next_number_waits_for_the_lease(
    world: World, stripe: Stripe, store: EarningStore, account: str, order: dict[str, Any]
) -> None:
    refuse(stripe, account, "transfer", "api_error", "api_error")
    pay_out(world)
    stripe.account._tables._tables["refusals"].clear()
    world.time.advance(minutes=9)
    pay_out(world)
    assert (earning_of(store, order).number, transfers(stripe)) == (1, [])

    world.time.advance(minutes=2)
    pay_out(world)
    assert [each["metadata"]["number"] for each in transfers(stripe)] == ["2"]


@pytest.mark.usefixtures("account")
def test_an_open_transfer_of_a_refunded_order_is_given_up_after_its_lease(
    world: World, stripe: Stripe, store: EarningStore, order: dict[str, Any]
) -> None:
    stripe.inject(UNREACHABLE, "transfers")
    pay_out(world)
    refund(world, order)
    pay_out(world)
    assert earning_of(store, order).operation

    world.time.advance(seconds=LEASE.total_seconds())
    pay_out(world)
    assert earning_of(store, order).shown is EarningStatus.CANCELLED
    assert transfers(stripe) == []


@pytest.mark.usefixtures("account")
def test_earnings_that_a_failure_keeps_back_for_a_day_are_reported(
    world: World, stripe: Stripe, order: dict[str, Any], metrics: Counter[str]
) -> None:
    assert order
    stripe.inject(UNREACHABLE, "get", attempts=100)
    pay_out(world)

    assert metrics["PayoutsOverdue"] == 1, "it was released more than a day ago"
    assert metrics["RepairsFailed"] == 1


# Refunds and disputes


@pytest.mark.usefixtures("account")
def test_a_refund_before_the_release_cancels(world: World, stripe: Stripe, store: EarningStore, seller: Person) -> None:
    order = buy(world, seller)
    refund(world, order)
    world.time.advance(days=8)
    pay_out(world)

    assert transfers(stripe) == []
    assert earning_of(store, order).shown is EarningStatus.CANCELLED


def test_a_refund_after_the_transfer_reverses_it(
    world: World, stripe: Stripe, store: EarningStore, account: str, order: dict[str, Any]
) -> None:
    pay_out(world)
    refund(world, order)
    pay_out(world)

    assert balance(stripe, account) == 0
    [made] = transfers(stripe)
    assert made["reversals"]["data"][0]["metadata"] == {"stage": "test", "orderID": order["id"], "number": "2"}
    assert earning_of(store, order).shown is EarningStatus.REVERSED
    assert [each["detail-type"] for each in world.published({"payout:reversed"})] == ["payout:reversed"]


def test_a_refund_of_a_part_reverses_that_part(
    world: World, stripe: Stripe, store: EarningStore, account: str, order: dict[str, Any], seller: Person
) -> None:
    pay_out(world)
    refund(world, order, amount="5.00")
    pay_out(world)

    assert balance(stripe, account) == NET - 500
    assert (earning_of(store, order).shown, earning_of(store, order).look_at) == (EarningStatus.PAID, None)
    assert +store.seller(seller.id).totals == Counter({("usd", "paid"): NET - 500})


def test_a_pending_reversal_stops_all_other_transfers_to_its_seller(
    world: World,
    stripe: Stripe,
    store: EarningStore,
    account: str,
    order: dict[str, Any],
    seller: Person,
    metrics: Counter[str],
) -> None:
    pay_out(world)
    refuse(stripe, account, "reversal", "balance_insufficient")
    refund(world, order)
    pay_out(world)
    assert (earning_of(store, order).shown, metrics["ReversalsPending"]) == (EarningStatus.PAID, 1)

    another = buy(world, seller)
    world.time.advance(days=8)
    pay_out(world)
    pay_out(world)
    assert len(transfers(stripe)) == 1, "the next earnings wait"
    assert earning_of(store, another).waits

    stripe.account._tables._tables["refusals"].clear()
    world.time.advance(minutes=30)
    pay_out(world)  # reverses
    pay_out(world)  # looks at the seller, who owes nothing any more
    assert earning_of(store, order).shown is EarningStatus.REVERSED
    assert earning_of(store, another).shown is EarningStatus.PAID
    assert balance(stripe, account) == NET


def test_disputed_earnings_are_blocked_until_the_dispute_is_won(
    world: World, stripe: Stripe, store: EarningStore, account: str, order: dict[str, Any]
) -> None:
    [intent] = stripe.intents()
    stripe.account.handle("POST", "/local/disputes", {}, f"payment_intent={intent['id']}")
    pay_out(world)
    assert (earning_of(store, order).shown, balance(stripe, account)) == (EarningStatus.BLOCKED, 0)
    assert [each["detail-type"] for each in world.published({"payout:blocked"})] == ["payout:blocked"]

    dispute = stripe.api("GET", f"/v1/disputes?payment_intent={intent['id']}")["data"][0]["id"]
    stripe.account.handle("POST", f"/local/disputes/{dispute}/close", {}, "status=won")
    world.time.advance(minutes=15)
    pay_out(world)
    assert (earning_of(store, order).shown, balance(stripe, account)) == (EarningStatus.PAID, NET)


@pytest.mark.usefixtures("account")
def test_a_refund_by_hand_stops_the_transfer_until_orders_has_recorded_it(
    world: World, stripe: Stripe, store: EarningStore, order: dict[str, Any]
) -> None:
    stripe.api("POST", "/v1/refunds", f"payment_intent={stripe.intents()[0]['id']}")
    pay_out(world)
    assert (earning_of(store, order).shown, transfers(stripe)) == (EarningStatus.BLOCKED, [])

    refund(world, order)
    assert earning_of(store, order).shown is EarningStatus.CANCELLED


def test_a_transfer_reversed_by_hand_is_not_made_again(
    world: World, stripe: Stripe, store: EarningStore, account: str, order: dict[str, Any]
) -> None:
    stripe.inject(RESPONSE_LOST, "transfers")
    pay_out(world)
    stripe.api("POST", f"/v1/transfers/{transfers(stripe)[0]['id']}/reversals")
    for _ in range(2):
        pay_out(world)
        world.time.advance(days=1)

    assert (len(transfers(stripe)), balance(stripe, account)) == (1, 0)
    assert (earning_of(store, order).shown, earning_of(store, order).look_at) == (EarningStatus.REVERSED, None)


def test_many_reversals_and_transfers_are_read_in_pages(
    world: World, stripe: Stripe, store: EarningStore, account: str, order: dict[str, Any]
) -> None:
    pay_out(world)
    made = transfers(stripe)[0]["id"]
    for _ in range(12):
        stripe.api("POST", f"/v1/transfers/{made}/reversals", "amount=10")
    refund(world, order)
    pay_out(world)

    assert (earning_of(store, order).reversed, balance(stripe, account)) == (NET, 0)


# Accounts


@pytest.mark.parametrize("status", ["incomplete", "restricted"])
def test_earnings_wait_for_a_ready_account(
    world: World, stripe: Stripe, store: EarningStore, seller: Person, order: dict[str, Any], status: str
) -> None:
    pay_out(world)
    assert (earning_of(store, order).waits, earning_of(store, order).shown) == (True, EarningStatus.DUE)
    stripe.calls.clear()
    world.time.advance(minutes=5)
    pay_out(world)
    assert stripe.calls == [], "they are not polled"

    account = connect(world, stripe, seller, status)
    world.time.advance(seconds=SELLER_LOOK.total_seconds())
    pay_out(world)
    assert earning_of(store, order).waits

    stripe.account.handle("POST", f"/local/accounts/{account}", {}, "status=ready")
    world.time.advance(seconds=SELLER_LOOK.total_seconds())
    pay_out(world)
    assert balance(stripe, account) == NET
    world.time.advance(minutes=5)
    pay_out(world)
    assert store.seller(seller.id).look_at is None


def test_a_webhook_of_the_account_sends_what_is_due(
    world: World, stripe: Stripe, store: EarningStore, seller: Person, order: dict[str, Any]
) -> None:
    pay_out(world)
    account = connect(world, stripe, seller)
    stripe.webhooks(world)
    pay_out(world)

    assert (earning_of(store, order).shown, balance(stripe, account)) == (EarningStatus.PAID, NET)


def test_a_closed_account_receives_nothing(
    world: World, stripe: Stripe, store: EarningStore, account: str, order: dict[str, Any]
) -> None:
    stripe.api("DELETE", f"/v1/accounts/{account}")
    pay_out(world)

    assert (earning_of(store, order).waits, transfers(stripe)) == (True, [])


def test_nothing_is_sent_to_an_account_of_another_user(
    world: World, stripe: Stripe, store: EarningStore, account: str, order: dict[str, Any]
) -> None:
    stripe.api("POST", f"/v1/accounts/{account}", "metadata[userID]=somebody")
    pay_out(world)

    assert (earning_of(store, order).waits, transfers(stripe)) == (True, [])


def test_other_functions_change_earnings_between_reading_and_writing(
    world: World, stripe: Stripe, store: EarningStore, account: str, order: dict[str, Any]
) -> None:
    """A refund that arrives while the worker reads Stripe is not overwritten."""
    assert account
    gateway = PayoutGateway()
    read = gateway.money
    gateway.money = lambda *args: (refund(world, order), read(*args))[1]  # type: ignore[method-assign,func-returns-value]
    payouts.look(store, gateway, OrderID(order["id"]))

    assert transfers(stripe) == []
    assert earning_of(store, order).shown is EarningStatus.CANCELLED


# The finder


@pytest.mark.usefixtures("stripe")
def test_a_run_of_the_finder_continues_where_the_last_one_ended(
    world: World, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for _ in range(3):
        found.append(buy(world, seller)["id"])
        world.time.advance(seconds=1)
    world.time.advance(days=8)
    monkeypatch.setattr("functions.payments.payout_finder.MAX_FOUND", 2)

    queued = []
    for _ in range(3):
        world.invoke("payments.payout_finder", {}, context=LambdaContext())
        queued.append([task["orderID"] for task in world.queues.take("payments.payout_worker")])
    assert queued == [found[:2], found[1:], found[2:]], "and the last one has reached the newest"


@pytest.mark.usefixtures("stripe")
def test_the_finder_queues_nothing_while_the_worker_is_busy(
    world: World, store: EarningStore, order: dict[str, Any]
) -> None:
    assert order
    world.queues.put("payments.payout_worker", *[{"orderID": "any"}] * 100)
    world.invoke("payments.payout_finder", {}, context=LambdaContext())

    assert len(world.queues.take("payments.payout_worker")) == 100
    assert store.finder_since() is None


def test_a_seller_with_many_waiting_earnings_is_looked_at_until_none_waits(
    world: World, stripe: Stripe, store: EarningStore, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payouts, "WOKEN", 2)
    for _ in range(5):
        buy(world, seller)
    world.time.advance(days=8)
    pay_out(world)
    assert store.seller(seller.id).waiting == 5

    account = connect(world, stripe, seller)
    world.time.advance(seconds=SELLER_LOOK.total_seconds())
    for _ in range(4):
        pay_out(world)
    assert balance(stripe, account) == 5 * NET
    assert (store.seller(seller.id).waiting, store.seller(seller.id).look_at) == (0, None)


def test_a_look_at_a_seller_queues_nothing_while_the_workers_are_busy(
    world: World, stripe: Stripe, store: EarningStore, seller: Person, order: dict[str, Any]
) -> None:
    pay_out(world)
    connect(world, stripe, seller)
    store.wake_seller(seller.id)
    queue = WorkQueue(os.environ["PAYOUT_QUEUE_URL"])
    world.queues.put("payments.payout_worker", *[{"orderID": "any"}] * 100)
    payouts.look_at_seller(store, PayoutGateway(), queue, seller.id)
    assert len(world.queues.take("payments.payout_worker")) == 100

    payouts.look_at_seller(store, PayoutGateway(), queue, seller.id)
    assert world.queues.take("payments.payout_worker") == [{"orderID": order["id"]}]


def test_the_hold_of_the_stage_counts(world: World, store: EarningStore, order: dict[str, Any]) -> None:
    assert earning_of(store, order).available_at == world.time.now() - timedelta(days=1)


# The seller's list


@pytest.mark.usefixtures("stripe")
def test_a_seller_lists_earnings_with_totals(world: World, seller: Person, account: str, order: dict[str, Any]) -> None:
    assert account
    pay_out(world)
    held = buy(world, seller)
    listed = world.call("GET", "/api/payouts", by=seller)

    assert listed.status == 200
    newest, oldest = listed.json["payouts"]
    assert (newest["orderID"], newest["status"], newest["net"]) == (held["id"], "held", "11.88")
    assert "paidAt" not in newest
    assert oldest == {
        "orderID": order["id"],
        "ticket": {"id": oldest["ticket"]["id"], "title": "A seat"},
        "gross": "12.50",
        "fee": "0.62",
        "net": "11.88",
        "currency": "usd",
        "status": "paid",
        "availableAt": "2026-11-30T12:00:00.000Z",
        "paidAt": "2026-12-01T12:00:00.000Z",
    }
    nothing = dict.fromkeys(("due", "reversed", "cancelled", "blocked"), "0.00")
    assert listed.json["totals"] == nothing | {"held": "11.88", "paid": "11.88", "currency": "usd"}


@pytest.mark.usefixtures("stripe")
def test_a_seller_pages_through_own_earnings_only(world: World, seller: Person) -> None:
    made = [buy(world, seller)["id"] for _ in range(3)]
    first = world.call("GET", "/api/payouts?limit=2", by=seller).json
    rest = world.call("GET", f"/api/payouts?limit=2&cursor={first['nextCursor']}", by=seller).json

    assert [each["orderID"] for each in (*first["payouts"], *rest["payouts"])] == made[::-1]
    assert rest["nextCursor"] is None
    assert world.call("GET", "/api/payouts", by=world.person()).json["payouts"] == []
    assert world.call("GET", "/api/payouts?cursor=x", by=seller).status == 400


# The export


@pytest.mark.usefixtures("account")
def test_earnings_are_exported_as_csv(world: World, seller: Person, order: dict[str, Any]) -> None:
    pay_out(world)
    buy(world, seller)
    answer = world.call("GET", "/api/payouts/export?from=2026-11-01&to=2026-11-30", by=seller)

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="earnings-2026-11-01-2026-11-30.csv"'
    header, row, end = answer.text.split("\r\n")
    assert (header, end) == ("order,ticket,title,gross,fee,net,currency,status,available at,paid at", "")
    assert row.startswith(f"{order['id']},")
    assert row.endswith(",A seat,12.50,0.62,11.88,usd,paid,2026-11-30T12:00:00.000Z,2026-12-01T12:00:00.000Z")


@pytest.mark.usefixtures("stripe")
def test_an_export_has_the_days_that_it_is_asked_for(world: World, seller: Person) -> None:
    made = []
    for _ in range(3):
        made.append(buy(world, seller)["id"])
        world.time.advance(days=1)

    def exported(since: str, until: str) -> list[str]:
        text = world.call("GET", f"/api/payouts/export?from={since}&to={until}", by=seller).text
        return [line.partition(",")[0] for line in text.splitlines()[1:]]

    assert exported("2026-11-23", "2026-11-25") == made
    assert exported("2026-11-24", "2026-11-24") == made[1:2]
    assert exported("2026-11-26", "2026-11-23") == []


@pytest.mark.usefixtures("stripe")
def test_an_export_of_too_many_entries_is_refused(
    world: World, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        buy(world, seller)
    path = "/api/payouts/export?from=2026-11-01&to=2026-11-30"
    monkeypatch.setattr("functions.payments.payouts_api.MAX_EXPORTED", 1)
    assert (world.call("GET", path, by=seller).status, world.call("GET", path, by=seller).code) == (
        400,
        "export_too_large",
    )
    monkeypatch.setattr("functions.payments.payouts_api.MAX_EXPORTED", 2)
    assert world.call("GET", path, by=seller).status == 200


@pytest.mark.parametrize(
    "query", ["", "from=2026-11-01", "from=2026-1-1&to=2026-11-30", "from=2026-02-30&to=2026-11-30", "from=0&to=1"]
)
def test_a_day_has_one_form(world: World, seller: Person, query: str) -> None:
    answer = world.call("GET", f"/api/payouts/export?{query}", by=seller)

    assert (answer.status, answer.code) == (400, "invalid_request")
    assert {each["field"] for each in answer.json["errors"]} <= {"from", "to"}
