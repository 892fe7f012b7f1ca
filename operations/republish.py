"""`make republish TABLE=orders STAGE=dev`: publish each item's last event again.

For a new consumer, or for one that has missed events. Every event contains the complete state that consumers need, and
consumers ignore events that are not newer than their state, so those that are up to date change nothing.

Items are processed in the order of a table scan, at a limited rate. After each page a token is printed, from which a
later run can continue.
"""

import argparse
import base64
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from operations.stage import SERVICES, DeployedStage, NotDeployed
from shared import aws
from shared.events import last_event
from shared.publish import NotPublished, publish

EVENTS_A_SECOND = 100
PAGE = 100


class BadResumeToken(ValueError):
    """The text is not a token that was printed by an earlier run."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Numbers of items read and events published so far. `token` is where to continue, None at the end."""

    items: int
    events: int
    token: str | None


def republish(
    *,
    table: str,
    bus: str,
    service: str,
    token: str | None = None,
    events_a_second: int = EVENTS_A_SECOND,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Progress]:
    """Publish a table's events again, and yield the progress after each page.

    `service` is the event source without prefix, `events_a_second` the maximum rate. Raises BadResumeToken, and
    NotPublished; then the last token is still valid and repeats the failed page.
    """
    start = _start_of(token)
    items = events = 0
    while True:
        request: dict[str, Any] = {"ExclusiveStartKey": start} if start else {}
        page = aws.dynamodb().scan(TableName=table, Limit=PAGE, ConsistentRead=True, **request)
        outbox = [event for item in page["Items"] for event in events_of(_plain(item))]
        publish(outbox, bus=bus, source=f"admit-one.{service}")
        items += len(page["Items"])
        events += len(outbox)
        start = page.get("LastEvaluatedKey")
        yield Progress(items, events, _token_of(start))
        if not start:
            return
        sleep(len(outbox) / events_a_second)


def events_of(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the item's last event and, if that is a ticket's change caused by Orders, the seller's last change as well.

    Orders subscribes to changes by sellers only, not to those caused by its own holds. If a ticket was held after its
    last edit, its last event is one of the latter. That event contains the complete ticket, so a copy of it with the
    seller's change type delivers the edit; consumers that have it ignore the copy as not newer. While a change is
    pending the copy is omitted, because Orders would then ignore the pending request as older. The next run after the
    decision includes it.
    """
    event = last_event(item)
    if not event:
        return
    yield event
    detail = json.loads(event["detail"])
    is_echo = detail["data"].get("change") in ("reserved", "freed", "sold", "refunded", "declined")
    if is_echo and "pending" not in item:
        withdrawn = "withdrawnAt" in item
        words = {"change": "withdrawn", "status": "withdrawn"} if withdrawn else {"change": "edited"}
        yield {**event, "detail": json.dumps({**detail, "data": {**detail["data"], **words}})}


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    return {name: _DESERIALIZER.deserialize(value) for name, value in item.items()}


def _token_of(key: dict[str, Any] | None) -> str | None:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode() if key else None


def _start_of(token: str | None) -> dict[str, Any] | None:
    if not token:
        return None
    try:
        return dict(json.loads(base64.urlsafe_b64decode(token)))
    except ValueError as error:
        raise BadResumeToken("this is not a token of an earlier run") from error


_DESERIALIZER = TypeDeserializer()


def main() -> int:
    """Run the command; returns 0 if all events were published, 1 on an error, 130 if interrupted."""
    parser = argparse.ArgumentParser(prog="make republish", description=__doc__.partition("\n")[0])
    parser.add_argument("--stage", required=True)
    parser.add_argument("--table", required=True, choices=SERVICES)
    parser.add_argument("--token", help="continue where an earlier run ended")
    parser.add_argument("--rate", type=int, default=EVENTS_A_SECOND, help="maximum number of events per second")
    arguments = parser.parse_args()
    stage, token = DeployedStage(arguments.stage), arguments.token
    try:
        for done in republish(
            table=stage.table(arguments.table),
            bus=stage.bus(),
            service=arguments.table,
            token=token,
            events_a_second=arguments.rate,
        ):
            token = done.token
            sys.stdout.write(f"{done.items} items, {done.events} events published; TOKEN={token or '(end)'}\n")
            sys.stdout.flush()
    except (BadResumeToken, NotDeployed, NotPublished) as error:
        sys.stderr.write(f"{error}\nContinue with TOKEN={token or '(from the start)'}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"Stopped. Continue with TOKEN={token or '(from the start)'}\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
