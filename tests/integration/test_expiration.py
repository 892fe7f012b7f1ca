"""Expiration: one timer per order, never early, and the event that it publishes."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from shared import aws, clock
from shared.ids import new_id
from shared.publish import NotPublished
from tests.support.event_bus import FakeEventBus
from tests.support.lambda_events import envelope, sqs_batch
from tests.support.world import World

GROUP = "admit-one-test"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:expire"
ROLE = "arn:aws:iam::123456789012:role/scheduler"
DEAD_LETTERS = "arn:aws:sqs:us-east-1:123456789012:timers-dead-letters"


@pytest.fixture
def bus(world: World, monkeypatch: pytest.MonkeyPatch) -> FakeEventBus:
    """Return a recording bus, with Scheduler's group without schedules."""
    scheduler = boto3.client("scheduler")
    if GROUP in [group["Name"] for group in scheduler.list_schedule_groups()["ScheduleGroups"]]:
        scheduler.delete_schedule_group(Name=GROUP)
    scheduler.create_schedule_group(Name=GROUP)
    for name, value in {
        "EVENT_BUS_NAME": "admit-one",
        "SCHEDULE_GROUP": GROUP,
        "EXPIRE_FUNCTION_ARN": FUNCTION,
        "SCHEDULER_ROLE_ARN": ROLE,
        "SCHEDULE_DLQ_ARN": DEAD_LETTERS,
    }.items():
        monkeypatch.setenv(name, value)
    made = FakeEventBus()
    monkeypatch.setattr(aws, "events", lambda: made)
    return made


def order_created(deadline: datetime) -> dict[str, Any]:
    metadata = {
        "id": new_id(),
        "time": clock.to_rfc3339(clock.now()),
        "correlationId": "the buyer's request",
        "causationId": "the buyer's request",
    }
    data = {
        "id": new_id(),
        "version": 1,
        "status": "created",
        "userID": new_id(),
        "expiresAt": clock.to_rfc3339(deadline),
        "ticket": {"id": new_id(), "title": "A seat", "price": "12.50", "currency": "usd", "hold": 1},
    }
    return envelope("order:created", {"metadata": metadata, "data": data})


def in_(**time: float) -> dict[str, Any]:
    """Return an order event whose deadline is that far ahead."""
    return order_created(clock.now() + timedelta(**time))


def timers() -> list[dict[str, Any]]:
    """Return the existing schedules."""
    scheduler = boto3.client("scheduler")
    names = [schedule["Name"] for schedule in scheduler.list_schedules(GroupName=GROUP)["Schedules"]]
    found = [dict(scheduler.get_schedule(GroupName=GROUP, Name=name)) for name in names]
    return [{name: value for name, value in timer.items() if name != "ResponseMetadata"} for timer in found]


def due(timer: dict[str, Any]) -> datetime:
    """Return the time at which a schedule fires."""
    return datetime.strptime(timer["ScheduleExpression"], "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC)


def test_an_order_gets_a_one_time_timer_at_its_deadline(world: World, bus: FakeEventBus) -> None:
    order = in_(minutes=5)
    assert world.deliver(order, "expiration")

    [timer] = timers()
    assert timer["Name"] == f"order-{order['detail']['data']['id']}"
    assert (timer["ScheduleExpression"], timer["ScheduleExpressionTimezone"]) == ("at(2026-11-23T12:05:00)", "UTC")
    assert timer["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert timer["ActionAfterCompletion"] == "DELETE"
    assert bus.calls == []


def test_the_timer_invokes_expire_with_a_dead_letter_queue(world: World, bus: FakeEventBus) -> None:
    world.deliver(in_(minutes=5), "expiration")

    [timer] = timers()
    target = timer["Target"]
    assert (target["Arn"], target["RoleArn"]) == (FUNCTION, ROLE)
    assert target["DeadLetterConfig"] == {"Arn": DEAD_LETTERS}
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 20, "MaximumEventAgeInSeconds": 3600}


def test_the_same_order_again_changes_nothing(world: World, bus: FakeEventBus) -> None:
    order = in_(minutes=5)
    assert world.deliver(order, "expiration")
    first = timers()
    world.time.advance(minutes=1)

    assert world.deliver(order, "expiration")
    assert timers() == first


def test_an_order_that_is_being_paid_has_no_timer(world: World, bus: FakeEventBus) -> None:
    order, other = in_(minutes=5), in_(minutes=5)
    for each in (order, other):
        world.deliver(each, "expiration")
    data = order["detail"]["data"] | {"status": "awaiting:payment", "version": 2}
    paid = envelope("order:awaiting-payment", order["detail"] | {"data": data})

    assert [world.deliver(paid, "expiration") for _ in range(2)] == [True, True], "a repeated event changes nothing"
    assert [timer["Name"] for timer in timers()] == [f"order-{other['detail']['data']['id']}"]


@pytest.mark.parametrize("milliseconds", [1, 500, 999])
def test_a_timer_is_never_early(world: World, bus: FakeEventBus, milliseconds: int) -> None:
    world.deliver(in_(minutes=5, milliseconds=milliseconds), "expiration")

    [timer] = timers()
    assert due(timer) == datetime(2026, 11, 23, 12, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(milliseconds=1), timedelta(days=3)])
def test_a_passed_deadline_is_published_at_once(world: World, bus: FakeEventBus, ago: timedelta) -> None:
    order = order_created(clock.now() - ago)
    assert world.deliver(order, "expiration")

    [entry] = bus.taken
    assert (entry["DetailType"], entry["Source"]) == ("expiration:completed", "admit-one.expiration")
    data = order["detail"]["data"]
    assert json.loads(entry["Detail"])["data"] == {"orderId": data["id"], "userID": data["userID"]}
    assert timers() == []


@pytest.mark.parametrize("milliseconds", [1, 999, 1000, 2999])
def test_a_near_deadline_gets_a_slightly_later_timer(world: World, bus: FakeEventBus, milliseconds: int) -> None:
    world.deliver(in_(milliseconds=milliseconds), "expiration")

    [timer] = timers()
    assert due(timer) == clock.now() + timedelta(seconds=3)
    assert bus.calls == []


def test_a_failed_publish_of_a_passed_deadline_is_retried(world: World, bus: FakeEventBus) -> None:
    bus.is_down = True

    assert not world.deliver(in_(seconds=-1), "expiration")


def test_only_the_order_whose_timer_failed_is_retried(
    world: World, bus: FakeEventBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = aws.scheduler()
    orders = [in_(minutes=5), in_(minutes=5)]
    failing = f"order-{orders[0]['detail']['data']['id']}"

    class Throttled:
        exceptions = real.exceptions

        def create_schedule(self, **request: Any) -> Any:
            if request["Name"] == failing:
                raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow"}}, "CreateSchedule")
            return real.create_schedule(**request)

    monkeypatch.setattr(aws, "scheduler", Throttled)
    answer = world.invoke("expiration.listener", sqs_batch(*orders))

    assert answer["batchItemFailures"] == [{"itemIdentifier": "message-0"}]
    assert len(timers()) == 1


def test_a_timer_publishes_that_the_deadline_has_passed(world: World, bus: FakeEventBus) -> None:
    order = in_(minutes=5)
    world.deliver(order, "expiration")
    [timer] = timers()
    world.time.advance(minutes=5)
    world.invoke("expiration.expire", json.loads(timer["Target"]["Input"]))

    [entry] = bus.taken
    assert (entry["EventBusName"], entry["Source"]) == ("admit-one", "admit-one.expiration")
    assert entry["DetailType"] == "expiration:completed"
    data = order["detail"]["data"]
    assert json.loads(entry["Detail"])["data"] == {"orderId": data["id"], "userID": data["userID"]}


def test_the_event_has_the_buyers_correlation_id(world: World, bus: FakeEventBus) -> None:
    order = in_(minutes=5)
    world.deliver(order, "expiration")
    [timer] = timers()
    world.invoke("expiration.expire", json.loads(timer["Target"]["Input"]))

    metadata = json.loads(bus.taken[0]["Detail"])["metadata"]
    assert metadata["correlationId"] == "the buyer's request"
    assert metadata["causationId"] == order["detail"]["metadata"]["id"]


def test_expire_fails_if_its_event_is_refused(world: World, bus: FakeEventBus) -> None:
    """Lambda then invokes it again."""
    world.deliver(in_(minutes=5), "expiration")
    [timer] = timers()
    bus.is_down = True

    with pytest.raises(NotPublished):
        world.invoke("expiration.expire", json.loads(timer["Target"]["Input"]))


def test_orders_handles_the_timers_event(world: World, bus: FakeEventBus) -> None:
    """The event as published on the bus ends the order for which the timer was set."""
    seller, buyer = world.person("seller@example.com"), world.person("buyer@example.com")
    ticket = world.call("POST", "/api/tickets", {"title": "A seat", "price": "1"}, by=seller).json
    world.settle(without=("expiration", "payments"))
    order = world.call("POST", "/api/orders", {"ticketID": ticket["id"]}, by=buyer).json
    [created] = world.published()
    world.deliver(created, "expiration")
    [timer] = timers()
    world.time.advance(minutes=5)
    world.invoke("expiration.expire", json.loads(timer["Target"]["Input"]))
    [entry] = bus.taken

    assert world.deliver(envelope(entry["DetailType"], json.loads(entry["Detail"])), "orders")
    assert world.call("GET", f"/api/orders/{order['id']}", by=buyer).json["status"] == "cancelled"
