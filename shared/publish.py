"""Publishing events to the bus."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import batched
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from shared import aws, clock

ENTRIES_PER_CALL = 10  # the limit of PutEvents
ATTEMPTS = 3
REJECTED = frozenset({"InvalidArgument", "MalformedDetail"})
"""Codes of an entry that no attempt can publish. Missing permissions are not among them: an operator can grant them.
Source: EventBridge API Reference, PutEventsResultEntry."""
INVALID_CALL = "ValidationException"


class NotPublished(Exception):
    """Some events were not accepted by the bus: `events`. Those in `rejected` cannot be published by any attempt."""

    def __init__(self, events: Sequence[dict[str, Any]], rejected: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(f"{len(events)} events were not published, {len(rejected)} of them were rejected as invalid")
        self.events = tuple(events)
        self.rejected = tuple(rejected)


def publish(events: Sequence[dict[str, Any]], *, bus: str, source: str) -> None:
    """Publish events, each as returned by `shared.events.outbox_entry`, in the given order.

    PutEvents can fail in part, so the result of every entry is checked and failed entries are retried, unless they are
    rejected as invalid. Raises NotPublished with the events that remain after the last attempt.
    """
    left, rejected = list(events), []
    for attempt in range(ATTEMPTS):
        if attempt:
            clock.sleep(0.2 * attempt)
        failed = list(_put(left, bus=bus, source=source))
        left = [event for event, is_rejected in failed if not is_rejected]
        rejected += [event for event, is_rejected in failed if is_rejected]
        if not left:
            break
    if left or rejected:
        raise NotPublished([*left, *rejected], rejected)


def _put(events: Sequence[dict[str, Any]], *, bus: str, source: str) -> Iterator[tuple[dict[str, Any], bool]]:
    """Publish once; yield the events that were not accepted, and whether they were rejected as invalid."""
    for some in batched(events, ENTRIES_PER_CALL, strict=False):
        try:
            answer = aws.events().put_events(
                Entries=[
                    {
                        "EventBusName": bus,
                        "Source": source,
                        "DetailType": event["type"],
                        "Detail": event["detail"],
                    }
                    for event in some
                ]
            )
        except ClientError as error:
            is_invalid = error.response["Error"]["Code"] == INVALID_CALL
            if is_invalid and len(some) > 1:  # one entry, for example one that is too large, fails the whole call
                for event in some:
                    yield from _put([event], bus=bus, source=source)
            else:
                yield from ((event, is_invalid) for event in some)
            continue
        except BotoCoreError:
            yield from ((event, False) for event in some)
            continue
        for event, entry in zip(some, answer["Entries"], strict=True):
            if "ErrorCode" in entry:
                yield event, entry["ErrorCode"] in REJECTED


def new_entry(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the new outbox entry of a record of a table's stream, or None."""
    if record["eventName"] not in ("INSERT", "MODIFY"):
        return None
    new = _event(record["dynamodb"].get("NewImage"))
    old = _event(record["dynamodb"].get("OldImage"))
    return new if new and (not old or new["id"] != old["id"]) else None


def _event(image: Mapping[str, Any] | None) -> dict[str, str] | None:
    if not image or "event" not in image:
        return None
    return {name: value["S"] for name, value in image["event"]["M"].items()}
