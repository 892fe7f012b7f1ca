"""The contract of the events: stored samples, as published on the bus, stay readable.

Samples are never edited. For an added field, add a sample; a removed, renamed or retyped field fails here.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared import clock
from shared.events import (
    CONTRACTS,
    Data,
    ExpirationCompleted,
    OrderCancelled,
    OrderCreated,
    OrderRefunded,
    PaymentPartlyRefunded,
    TicketChangeDeclined,
    TicketChangeRequested,
    TicketUpdated,
    UnknownEvent,
    outbox_entry,
    parse,
)
from shared.ids import OrderID, UserID, is_id
from shared.telemetry import Trace, follow

SAMPLES = {path.stem: json.loads(path.read_text()) for path in sorted(Path(__file__).parent.glob("events/*.json"))}

METADATA = {
    "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "time": "2026-11-23T12:00:00Z",
    "version": 1,
    "correlationId": "c",
    "causationId": "c",
}

each_sample = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def read(sample: dict[str, Any]) -> Any:
    return parse(sample["detail-type"], sample["detail"])


def sample_of(contract: type[Data]) -> dict[str, Any]:
    """Return a copy of a stored event of this type."""
    found = next(sample for sample in SAMPLES.values() if sample["detail-type"] == contract.type)
    copied: dict[str, Any] = json.loads(json.dumps(found))
    return copied


def required(contract: Any) -> Iterator[str]:
    return (name for name, field in contract.model_fields.items() if field.is_required())


def test_every_event_type_has_a_stored_sample() -> None:
    assert {sample["detail-type"] for sample in SAMPLES.values()} == set(CONTRACTS)


def test_every_change_of_a_ticket_has_a_stored_sample() -> None:
    changes = {sample["detail"]["data"].get("change") for sample in SAMPLES.values()} - {None}

    assert changes == set(get_args(TicketUpdated.model_fields["change"].annotation))


@each_sample
def test_a_stored_event_is_read_as_its_own_type(sample: dict[str, Any]) -> None:
    event = read(sample)

    assert type(event.data) is CONTRACTS[sample["detail-type"]]
    assert event.metadata.id == sample["detail"]["metadata"]["id"]


@each_sample
def test_no_field_of_a_stored_event_is_lost(sample: dict[str, Any]) -> None:
    event = read(sample)

    assert event.data.model_dump(mode="json", exclude_none=True) == sample["detail"]["data"]
    assert event.metadata.model_dump(mode="json") == sample["detail"]["metadata"]


@each_sample
def test_unknown_fields_are_ignored(sample: dict[str, Any]) -> None:
    detail = sample["detail"]
    newer = {
        "metadata": detail["metadata"] | {"added": 1},
        "data": detail["data"] | {"added": {"later": True}},
        "added": [],
    }

    assert parse(sample["detail-type"], newer) == read(sample)


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=CONTRACTS.keys())
def test_an_event_without_a_required_field_is_refused(contract: type[Data]) -> None:
    for name in required(contract):
        sample = sample_of(contract)
        del sample["detail"]["data"][name]
        with pytest.raises(ValidationError, match=name):
            read(sample)


@pytest.mark.parametrize(
    ("contract", "field", "value"),
    [
        (OrderCreated, "expiresAt", "2026-11-23T12:05:00"),  # no offset: ambiguous
        (OrderCreated, "expiresAt", "soon"),
        (OrderCreated, "status", "pending"),
        (OrderCreated, "version", "two"),
        (OrderCancelled, "reason", "because"),
        (OrderRefunded, "refund", {"amount": "12.50", "reason": "because", "at": "2026-11-23T12:00:00Z"}),
        (PaymentPartlyRefunded, "amountRefunded", "five"),
        (TicketUpdated, "change", "painted"),
        (TicketUpdated, "price", 12.5),
        (TicketChangeRequested, "withdrawn", "perhaps"),
        (TicketChangeDeclined, "reason", "because"),
        (ExpirationCompleted, "orderId", None),
    ],
)
def test_an_event_with_an_invalid_value_is_refused(contract: type[Data], field: str, value: object) -> None:
    sample = sample_of(contract)
    sample["detail"]["data"][field] = value

    with pytest.raises(ValidationError, match=field):
        read(sample)


@pytest.mark.parametrize("event_type", ["ticket:", "order:painted", "ORDER:CREATED", "order:created "])
def test_a_type_without_a_contract_is_named(event_type: str) -> None:
    with pytest.raises(UnknownEvent, match=event_type):
        parse(event_type, {"metadata": METADATA, "data": {}})


@given(st.sampled_from(sorted(CONTRACTS)), json_values)
def test_data_that_is_no_event_is_refused(event_type: str, data: object) -> None:
    with pytest.raises(ValidationError):
        parse(event_type, {"metadata": METADATA, "data": data})


@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_an_event_with_any_replaced_field_never_crashes(name: str, data: st.DataObject) -> None:
    """The event is either refused or read."""
    sample = json.loads(json.dumps(SAMPLES[name]))
    field = data.draw(st.sampled_from(sorted(sample["detail"]["data"])))
    sample["detail"]["data"][field] = data.draw(json_values)
    try:
        event = read(sample)
    except ValidationError:
        return
    assert isinstance(event.data, CONTRACTS[sample["detail-type"]])


@each_sample
def test_a_published_event_is_read_unchanged(sample: dict[str, Any]) -> None:
    data = read(sample).data
    entry = outbox_entry(data)
    event = parse(entry["type"], json.loads(entry["detail"]))

    assert event.data == data
    assert event.metadata.id == entry["id"]
    assert is_id(entry["id"])


def test_each_outbox_entry_has_its_own_id() -> None:
    data = ExpirationCompleted(orderId=OrderID("order"), userID=UserID("user"))

    assert outbox_entry(data)["id"] != outbox_entry(data)["id"]


def test_an_event_carries_the_trace_of_its_call() -> None:
    with follow(Trace(correlation_id="the request", causation_id="the message")):
        entry = outbox_entry(ExpirationCompleted(orderId=OrderID("order"), userID=UserID("user")))

    metadata = json.loads(entry["detail"])["metadata"]
    assert (metadata["correlationId"], metadata["causationId"]) == ("the request", "the message")


def test_an_event_without_a_cause_begins_a_trace() -> None:
    entry = outbox_entry(ExpirationCompleted(orderId=OrderID("order"), userID=UserID("user")))

    metadata = json.loads(entry["detail"])["metadata"]
    assert metadata["correlationId"] == metadata["causationId"] == entry["id"]


def test_an_event_has_its_time_of_publication() -> None:
    before = clock.now()
    entry = outbox_entry(ExpirationCompleted(orderId=OrderID("order"), userID=UserID("user")))

    assert before <= datetime.fromisoformat(json.loads(entry["detail"])["metadata"]["time"]) <= clock.now()


def test_missing_fields_are_omitted_and_not_null() -> None:
    assert "orderID" not in SAMPLES["ticket-updated-freed"]["detail"]["data"]
    entry = outbox_entry(read(SAMPLES["ticket-updated-freed"]).data)

    assert "orderID" not in json.loads(entry["detail"])["data"]
