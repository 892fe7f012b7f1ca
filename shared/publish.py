"""Publishing events to the bus."""

from collections.abc import Iterator, Sequence
from itertools import batched
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from shared import aws, clock

ENTRIES_PER_CALL = 10  # the limit of PutEvents
ATTEMPTS = 3


class NotPublished(Exception):
    """Some events were not accepted by the bus; `events` are those."""

    def __init__(self, events: Sequence[dict[str, Any]]) -> None:
        super().__init__(f"{len(events)} events were not published")
        self.events = tuple(events)


def publish(events: Sequence[dict[str, Any]], *, bus: str, source: str) -> None:
    """Publish events, each as returned by `shared.events.outbox_entry`, in the given order.

    PutEvents can fail in part, so the result of every entry is checked and failed entries are retried. Raises
    NotPublished with the events that remain after the last attempt.
    """
    left = list(events)
    for attempt in range(ATTEMPTS):
        if attempt:
            clock.sleep(0.2 * attempt)
        left = list(_put(left, bus=bus, source=source))
        if not left:
            return
    raise NotPublished(left)


def _put(events: Sequence[dict[str, Any]], *, bus: str, source: str) -> Iterator[dict[str, Any]]:
    """Publish once; yield the events that were not accepted."""
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
        except (BotoCoreError, ClientError):
            yield from some
            continue
        for event, entry in zip(some, answer["Entries"], strict=True):
            if "ErrorCode" in entry:
                yield event
