"""`make redrive`: the events that a relay has set aside are published again."""

import json
from typing import Any

import boto3
import pytest

from operations.redrive import redrive
from shared import aws
from shared.events import TicketCreated, outbox_entry
from shared.ids import TicketID, UserID, new_id
from shared.money import Price
from shared.publish import NotPublished
from shared.table import _to_dynamodb
from tests.support.event_bus import FakeEventBus
from tests.support.world import World


@pytest.fixture
def bus(world: World, monkeypatch: pytest.MonkeyPatch) -> FakeEventBus:
    made = FakeEventBus()
    monkeypatch.setattr(aws, "events", lambda: made)
    return made


@pytest.fixture
def queue(world: World) -> str:
    """Return the URL of a relay's dead-letter queue with twelve records."""
    sqs: Any = boto3.client("sqs")
    url = str(sqs.create_queue(QueueName=f"unpublished-{new_id()}")["QueueUrl"])
    for _ in range(12):
        event = outbox_entry(
            TicketCreated(
                id=TicketID(new_id()),
                version=1,
                title="A seat",
                price=Price("12.50"),
                currency="usd",
                userID=UserID(new_id()),
            )
        )
        record = {"eventName": "INSERT", "dynamodb": {"NewImage": _to_dynamodb({"event": event})}}
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(record))
    return url


def waiting(queue: str) -> int:
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = boto3.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(map(int, found.values()))


def test_every_event_is_published_and_its_record_removed(bus: FakeEventBus, queue: str) -> None:
    assert redrive(queue_url=queue, bus="bus", service="tickets") == 12
    assert len(bus.taken) == 12
    assert waiting(queue) == 0


def test_an_event_that_is_rejected_again_stays_in_the_queue(bus: FakeEventBus, queue: str) -> None:
    bus.invalid = ["ticket:created"]
    with pytest.raises(NotPublished):
        redrive(queue_url=queue, bus="bus", service="tickets")
    assert waiting(queue) == 12
