"""The reconciler at scale: it ends in time and continues, and no failing payment or log entry stops the others."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from functions.payments import reconciler, stripe_gateway
from functions.payments.payment import StripeUnavailable
from functions.payments.stripe_gateway import StripeGateway
from shared import aws, work_queue
from shared.work_queue import NotQueued, Task, WorkQueue
from tests.integration.placing import offer, place
from tests.support.faults import UNREACHABLE
from tests.support.lambda_events import LambdaContext, Person, sqs_batch
from tests.support.stripe_in_process import Stripe
from tests.support.world import World

RECONCILER, SETTLER = "payments.reconciler", "payments.settler"
AUTHENTICATED_LATER = "pm_card_threeDSecure2Required"
STORED_BEFORE = {
    *("pk", "orderID", "userID", "orderStatus", "expiresAt", "amount", "currency", "orderVersion"),
    *("id", "stripeID", "clientSecret", "status", "paidAt", "version", "revision", "updatedAt"),
    *("unsettledPartition", "event"),
}
"""The attributes of an unsettled payment before 2026-11-28."""


@pytest.fixture
def buyer(world: World, stripe: Stripe) -> Person:
    return world.person("buyer@example.com")


def start(world: World, buyer: Person, card: str = "tok_visa") -> str:
    """Place an order and pay it; return its id. Events of the payment are lost."""
    order = place(world, offer(world, world.person()), buyer).json
    world.settle(without=("expiration", "tickets"))
    assert world.call("POST", "/api/payments", {"orderId": order["id"], "token": card}, by=buyer).status == 201
    world.published()
    return str(order["id"])


def queued(world: World, **more: Any) -> list[str]:
    """Run the reconciler; return the ids in the tasks that it queued, without performing them."""
    world.invoke(RECONCILER, {}, context=LambdaContext(**more))
    return [ident for task in world.queues.take(SETTLER) for ident in task.values()]


def charge_by_hand(stripe: Stripe) -> str:
    """Charge a PaymentIntent of this stage that Payments has not recorded; return its id."""
    card = "confirm=true&payment_method=pm_card_visa&allowed_payment_method_types[]=card"
    form = f"amount=1250&currency=usd&{card}&metadata[stage]=test&metadata[orderID]=unknown"
    return str(stripe.api("POST", "/v1/payment_intents", form)["id"])


def progress(world: World) -> dict[str, Any]:
    return next(item for item in world.items("payments") if item["pk"] == "reconciler")


def test_one_failing_payment_does_not_stop_the_others(world: World, buyer: Person, stripe: Stripe) -> None:
    for _ in range(2):
        start(world, buyer)
    world.time.advance(minutes=8)
    world.invoke(RECONCILER, {})
    stripe.inject(UNREACHABLE, "get")

    assert world.perform_tasks() == [], "the next run queues it again"
    assert [event["detail-type"] for event in world.published()] == ["payment:authorized"]
    world.time.advance(minutes=5)
    world.repair(RECONCILER)
    assert [event["detail-type"] for event in world.published()] == ["payment:authorized"] * 2


def test_payments_are_queued_oldest_first(world: World, stripe: Stripe) -> None:
    orders = []
    for _ in range(12):
        orders.append(start(world, world.person()))
        world.time.advance(seconds=1)
    world.time.advance(minutes=8)

    assert queued(world) == orders


@pytest.mark.parametrize("card", ["tok_visa", AUTHENTICATED_LATER])
def test_a_payment_is_due_two_minutes_after_the_deadline_of_its_order(
    world: World, buyer: Person, stripe: Stripe, card: str
) -> None:
    order = start(world, buyer, card)
    world.time.advance(minutes=7)
    assert queued(world) == []

    world.time.advance(milliseconds=1)
    assert queued(world) == [order]


def test_payments_on_their_normal_course_cost_no_reads(world: World, buyer: Person, stripe: Stripe) -> None:
    """The queries do not even return them."""
    for _ in range(3):
        start(world, buyer, AUTHENTICATED_LATER)
    world.time.advance(minutes=6)
    calls, entries = calls_of_a_run(world)

    assert calls == {"Query": 8, "GetItem": 1, "PutItem": 1}
    assert entries == 0


def test_due_payments_are_found_in_the_index_alone(world: World, buyer: Person, stripe: Stripe) -> None:
    for _ in range(3):
        start(world, buyer, AUTHENTICATED_LATER)
    world.time.advance(minutes=8)
    calls, entries = calls_of_a_run(world)

    assert calls == {"Query": 8, "GetItem": 1, "PutItem": 1}
    assert entries == 3


def calls_of_a_run(world: World) -> tuple[Counter[str], int]:
    """Run the reconciler; return its calls to DynamoDB, and how many entries the queries have read."""
    calls: Counter[str] = Counter()
    entries: list[int] = []
    client = aws.dynamodb().meta.events
    client.register("before-call.dynamodb", lambda model, **_: calls.update([model.name]), unique_id="calls")
    client.register("after-call.dynamodb.Query", lambda parsed, **_: entries.append(parsed["ScannedCount"]), "entries")
    world.invoke(RECONCILER, {}, context=LambdaContext())
    client.unregister("before-call.dynamodb", unique_id="calls")
    client.unregister("after-call.dynamodb.Query", unique_id="entries")
    return calls, sum(entries)


def test_a_payment_that_has_changed_since_it_was_queued_is_left_alone(
    world: World, buyer: Person, stripe: Stripe
) -> None:
    """Otherwise its event would be published twice, and the alarm about repairs go off."""
    order = start(world, buyer)
    world.time.advance(minutes=8)
    assert queued(world) == [order]
    task = sqs_batch({"orderID": order})
    world.invoke(SETTLER, task)
    assert len(world.published()) == 1
    stripe.calls.clear()
    world.invoke(SETTLER, task)

    assert world.published() == []
    assert stripe.calls == []
    world.time.advance(minutes=2)
    world.invoke(SETTLER, task)
    assert len(world.published()) == 1, "Orders has not answered"


def test_a_payment_that_has_settled_since_it_was_queued_needs_no_call(
    world: World, buyer: Person, stripe: Stripe
) -> None:
    order = start(world, buyer)
    world.time.advance(minutes=8)
    world.invoke(SETTLER, sqs_batch({"orderID": order}))
    world.settle(without=("expiration", "tickets"))
    world.time.advance(minutes=8)
    stripe.calls.clear()
    world.invoke(SETTLER, sqs_batch({"orderID": order}))

    assert stripe.calls == []


def test_a_payment_stored_by_the_release_before_is_found(world: World, buyer: Person, stripe: Stripe) -> None:
    """It has nothing that this release has added, and the index is built from what it has."""
    order = start(world, buyer)
    (payment,) = [item for item in world.items("payments") if item["pk"] == f"order#{order}"]
    assert {"unsettledPartition", "expiresAt"} < set(payment) <= STORED_BEFORE
    world.time.advance(minutes=8)

    assert queued(world) == [order]


def test_a_run_ends_in_time_and_the_next_one_continues(world: World, stripe: Stripe) -> None:
    orders = []
    for _ in range(25):
        orders.append(start(world, world.person()))
        world.time.advance(milliseconds=1)
    world.time.advance(minutes=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LambdaContext, "get_remaining_time_in_millis", running_out(after=2))
        assert queued(world) == orders[:20]

    assert queued(world) == orders[20:], "where the last run ended"
    assert queued(world) == orders, "from the oldest again"


def running_out(*, after: int) -> Any:
    """Return a `get_remaining_time_in_millis` that reports enough time for a number of calls."""
    calls = iter([240_000] * after)
    return lambda _self: next(calls, 10_000)


def test_nothing_is_queued_twice_while_the_settler_is_busy(
    world: World, buyer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = start(world, buyer)
    world.time.advance(minutes=8)
    monkeypatch.setattr(work_queue, "BUSY", 1)
    world.queues.put(SETTLER, {"orderID": "another"})
    assert queued(world) == ["another"]
    assert queued(world) == [order]


def test_due_payments_are_queued_though_the_log_cannot_be_read(world: World, buyer: Person, stripe: Stripe) -> None:
    order = start(world, buyer)
    world.time.advance(minutes=8)
    stripe.inject(UNREACHABLE, "get")
    with pytest.raises(StripeUnavailable):
        world.invoke(RECONCILER, {})

    assert world.queues.take(SETTLER) == [{"orderID": order}]


def test_the_log_is_read_before_the_due_payments_are_queued(world: World, buyer: Person, stripe: Stripe) -> None:
    """A backlog of payments must not keep it from the log."""
    order, charged = start(world, buyer), charge_by_hand(stripe)
    world.time.advance(minutes=8)

    assert queued(world) == [charged, order]


def test_a_failing_entry_of_the_log_is_retried_alone(world: World, stripe: Stripe, buyer: Person) -> None:
    failing, other = charge_by_hand(stripe), charge_by_hand(stripe)
    world.time.advance(minutes=6)
    tasks = queued(world)
    assert sorted(tasks) == sorted([failing, other])
    failures = []
    for stripe_id in (failing, other):
        if stripe_id == failing:
            stripe.inject(UNREACHABLE, "get")
        failures.append(world.invoke(SETTLER, sqs_batch({"stripeID": stripe_id}))["batchItemFailures"])

    assert [bool(failed) for failed in failures] == [True, False]
    world.time.advance(minutes=20)
    assert failing in queued(world), "the windows overlap"
    world.time.advance(minutes=5)
    assert queued(world) == [], "the log goes on"


def test_the_log_is_read_in_pages_over_several_runs(
    world: World, stripe: Stripe, buyer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe lists the newest first. A run that ends early has read the newest; the next one reads the rest."""
    monkeypatch.setattr(stripe_gateway, "LOG_PAGE", 10)
    charged = []
    for _ in range(25):
        charged.append(charge_by_hand(stripe))
        world.time.advance(seconds=1)
    world.time.advance(minutes=6)
    found = []
    for _ in range(3):
        found.append(queued(world, remaining_seconds=reconciler.KEPT_FOR_PAYMENTS - 1))
        later = charge_by_hand(stripe)
        world.time.advance(minutes=5)

    assert found[0][:10] == charged[:-11:-1]
    assert set(charged) == {stripe_id for run in found for stripe_id in run}
    assert later in queued(world), "a new window begins where the last one ended"


def test_a_run_that_fails_in_the_log_keeps_the_pages_that_it_read(
    world: World, stripe: Stripe, buyer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_gateway, "LOG_PAGE", 10)
    charged = []
    for _ in range(25):
        charged.append(charge_by_hand(stripe))
        world.time.advance(seconds=1)
    world.time.advance(minutes=6)
    pages = iter(["accepted", "rejected"])
    send = WorkQueue.send

    def send_one_page(self: WorkQueue, tasks: Iterable[Task]) -> None:
        if (some := list(tasks)) and next(pages) == "rejected":
            raise NotQueued
        send(self, some)

    with monkeypatch.context() as patch:
        patch.setattr(WorkQueue, "send", send_one_page)
        with pytest.raises(NotQueued):
            world.invoke(RECONCILER, {}, context=LambdaContext())

    assert len(world.queues.take(SETTLER)) == 10
    assert queued(world) == charged[15::-1], "from the last event that was read, back to the first"


def test_an_event_that_appears_late_in_the_log_is_found(world: World, stripe: Stripe, buyer: Person) -> None:
    charge_by_hand(stripe)
    assert len(queued(world)) == 1
    world.time.advance(minutes=5)
    assert len(queued(world)) == 1, "the windows overlap by ten minutes"
    world.time.advance(minutes=11)
    assert len(queued(world)) == 1
    world.time.advance(minutes=5)
    assert queued(world) == []


def test_the_position_of_the_release_before_is_continued(world: World, stripe: Stripe, buyer: Person) -> None:
    """It was one instant for both logs."""
    stripe_id = charge_by_hand(stripe)
    started = world.time.now()
    world.time.advance(hours=5)
    old: dict[str, Any] = {"pk": "reconciler", "logReadTo": int((started - timedelta(minutes=1)).timestamp() * 1000)}
    world.tables.resource.Table("payments").put_item(Item=old)

    assert queued(world) == [stripe_id], "later than the hour that a first run looks back"
    assert "logReadTo" not in progress(world)


def test_a_task_that_sqs_rejects_ends_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullQueue:
        def send_message_batch(self, **_: Any) -> Any:
            return {"Failed": [{"Id": "0", "Code": "InternalError"}]}

    monkeypatch.setattr(aws, "sqs", FullQueue)
    with pytest.raises(NotQueued, match="InternalError"):
        WorkQueue("url").send([{"orderID": "1"}])


def test_a_page_of_stripes_log_ends_at_its_oldest_event(world: World, stripe: Stripe, buyer: Person) -> None:
    since = world.time.now()
    charge_by_hand(stripe)
    (page,) = StripeGateway().log(reconciler.PAID, since=since)
    assert (len(page.entries), page.reached, page.has_more) == (1, since.replace(microsecond=0), False)
