"""The relay: which stream records it publishes, and the dead-letter queue of the rest."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

from functions.relay import relay
from shared import aws, settings
from shared.events import TicketCreated, TicketUpdated, outbox_entry
from shared.ids import TicketID, UserID, new_id
from shared.money import Price
from tests.support.event_bus import FakeEventBus
from tests.support.fake_clock import FakeClock
from tests.support.lambda_events import LambdaContext
from tests.support.moto_tables import MotoTables

BUS = "relay-test"


@pytest.fixture
def queue(tables: MotoTables, time: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the URL of the relay's dead-letter queue."""
    settings.load.cache_clear()
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName=f"relay-{new_id()}")["QueueUrl"]
    monkeypatch.setenv("EVENT_BUS_NAME", BUS)
    monkeypatch.setenv("EVENT_SOURCE", "admit-one.tickets")
    monkeypatch.setenv("RELAY_DLQ_URL", url)
    yield url
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def bus(queue: str, monkeypatch: pytest.MonkeyPatch) -> FakeEventBus:
    made = FakeEventBus()
    monkeypatch.setattr(aws, "events", lambda: made)
    return made


def event() -> dict[str, Any]:
    """Return an event as stored in an item's outbox entry."""
    return outbox_entry(
        TicketCreated(
            id=TicketID(new_id()),
            version=1,
            title="A seat",
            price=Price("12.50"),
            currency="usd",
            userID=UserID(new_id()),
        )
    )


def updated() -> dict[str, Any]:
    return event() | {"type": TicketUpdated.type}


def record(name: str, *, new: object = None, old: object = None) -> dict[str, Any]:
    """Return a stream record of an item with these events in its images."""
    images: dict[str, Any] = {"Keys": {"pk": {"S": "ticket#1"}}, "SequenceNumber": "1"}
    for image, carried in {"NewImage": new, "OldImage": old}.items():
        if carried is not None:
            item = {"pk": "ticket#1"} | ({"event": carried} if carried else {})
            images[image] = {key: TypeSerializer().serialize(value) for key, value in item.items()}
    return {"eventID": new_id(), "eventName": name, "dynamodb": images}


def run(*records: dict[str, Any]) -> Any:
    return relay.handler({"Records": list(records)}, LambdaContext())


def dead_letters(queue: str) -> list[dict[str, Any]]:
    messages = boto3.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


WITHOUT_EVENT: dict[str, Any] = {}


def test_the_event_of_an_inserted_item_is_published(bus: FakeEventBus) -> None:
    entry = event()

    assert run(record("INSERT", new=entry)) == {"batchItemFailures": []}
    assert bus.taken == [
        {
            "EventBusName": BUS,
            "Source": "admit-one.tickets",
            "DetailType": "ticket:created",
            "Detail": entry["detail"],
        }
    ]


def test_a_changed_item_with_another_event_is_published(bus: FakeEventBus) -> None:
    run(record("MODIFY", new=updated(), old=event()))

    assert [entry["DetailType"] for entry in bus.taken] == ["ticket:updated"]


def test_the_first_event_of_an_existing_item_is_published(bus: FakeEventBus) -> None:
    run(record("MODIFY", new=updated(), old=WITHOUT_EVENT))

    assert len(bus.taken) == 1


def test_a_write_with_the_same_event_publishes_nothing(bus: FakeEventBus) -> None:
    entry = event()
    run(record("MODIFY", new=entry, old=entry))

    assert bus.calls == []


def test_an_item_without_an_event_publishes_nothing(bus: FakeEventBus) -> None:
    run(record("INSERT", new=WITHOUT_EVENT), record("MODIFY", new=WITHOUT_EVENT, old=event()))

    assert bus.calls == []


def test_a_removal_publishes_nothing(bus: FakeEventBus) -> None:
    run(record("REMOVE", old=event()))
    run(record("REMOVE", new=event(), old=event()))

    assert bus.calls == []


def test_more_than_ten_entries_go_in_ordered_calls_of_ten(bus: FakeEventBus) -> None:
    entries = [event() for _ in range(23)]
    run(*(record("INSERT", new=one) for one in entries))

    assert [len(entries) for entries in bus.calls] == [10, 10, 3]
    assert [entry["Detail"] for entry in bus.taken] == [one["detail"] for one in entries]


def test_only_a_refused_entry_is_retried(bus: FakeEventBus, queue: str) -> None:
    bus.refused = ["ticket:updated"]
    run(record("INSERT", new=event()), record("INSERT", new=updated()))

    assert [len(entries) for entries in bus.calls] == [2, 1]
    assert [entry["DetailType"] for entry in bus.taken] == ["ticket:created", "ticket:updated"]
    assert dead_letters(queue) == []


def test_a_record_that_is_not_published_is_held_by_the_stream(bus: FakeEventBus, queue: str) -> None:
    """With all that follow it; consumers ignore those that come again."""
    bus.refused = ["ticket:updated"] * 3
    records = [
        record("INSERT", new=event()),
        record("MODIFY", new=updated(), old=event()),
        record("INSERT", new=event()),
    ]
    for number, each in enumerate(records):
        each["dynamodb"]["SequenceNumber"] = str(number)

    assert run(*records) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert len(bus.taken) == 2
    assert dead_letters(queue) == []


def test_with_the_bus_down_the_stream_holds_every_record(bus: FakeEventBus, queue: str) -> None:
    bus.is_down = True
    records = [record("INSERT", new=event()) for _ in range(3)]

    assert run(*records) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert bus.taken == dead_letters(queue) == []


def test_only_an_entry_that_is_rejected_for_itself_is_set_aside(bus: FakeEventBus, queue: str) -> None:
    bus.refused, bus.code = ["ticket:updated"], "MalformedDetail"
    good, bad = record("INSERT", new=event()), record("MODIFY", new=updated(), old=event())

    assert run(good, bad) == {"batchItemFailures": []}
    assert [entry["DetailType"] for entry in bus.taken] == ["ticket:created"]
    assert dead_letters(queue) == [bad]


def test_an_entry_that_fails_the_whole_call_is_set_aside_alone(bus: FakeEventBus, queue: str) -> None:
    """For example one that is too large."""
    bus.invalid = ["ticket:updated"]
    good, bad = record("INSERT", new=event()), record("MODIFY", new=updated(), old=event())

    assert run(good, bad) == {"batchItemFailures": []}
    assert [entry["DetailType"] for entry in bus.taken] == ["ticket:created"]
    assert dead_letters(queue) == [bad]


def test_the_batch_fails_if_a_record_cannot_be_dead_lettered(
    bus: FakeEventBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch is then delivered again."""
    bus.refused, bus.code = ["ticket:created"], "MalformedDetail"
    monkeypatch.setenv("RELAY_DLQ_URL", "https://sqs.us-east-1.amazonaws.com/123456789012/nowhere")
    settings.load.cache_clear()

    with pytest.raises(ClientError, match="queue does not exist"):
        run(record("INSERT", new=event()))


def test_listeners_can_read_the_relays_entries(queue: str) -> None:
    bus, sqs = boto3.client("events"), boto3.client("sqs")
    bus.create_event_bus(Name=BUS)
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus.put_rule(Name="all", EventBusName=BUS, EventPattern=json.dumps({"source": ["admit-one.tickets"]}))
    bus.put_targets(Rule="all", EventBusName=BUS, Targets=[{"Id": "queue", "Arn": arn}])
    entry = event()
    run(record("INSERT", new=entry))

    [message] = dead_letters(queue)
    assert (message["source"], message["detail-type"]) == ("admit-one.tickets", "ticket:created")
    assert message["detail"] == json.loads(entry["detail"])
