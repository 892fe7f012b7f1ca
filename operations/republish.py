"""`make republish TABLE=orders STAGE=dev`: tell each item's last event again.

For a new consumer, or for one that has missed events. Every event carries the whole state that its consumers need, and
consumers drop what is not newer than what they have, so whoever is up to date changes nothing.

Items come in the order of the table's scan, at a pace, and after each page a token is printed from which to go on.
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
from shared.publish import NotPublished, publish

EVENTS_A_SECOND = 100
PAGE = 100


class BadToken(ValueError):
    """The text is no token that was printed here."""


@dataclass(frozen=True, slots=True)
class Progress:
    """So many items were read and so many events told; `token` is where to go on, None at the end."""

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
    """Tell a table's events again, page by page. Raises BadToken, NotPublished: the page's token is then still good."""
    start = _start_of(token)
    items = events = 0
    while True:
        request: dict[str, Any] = {"ExclusiveStartKey": start} if start else {}
        page = aws.dynamodb().scan(TableName=table, Limit=PAGE, ConsistentRead=True, **request)
        told = [event for item in page["Items"] for event in events_of(_plain(item))]
        publish(told, bus=bus, source=f"admit-one.{service}")
        items += len(page["Items"])
        events += len(told)
        start = page.get("LastEvaluatedKey")
        yield Progress(items, events, _token_of(start))
        if not start:
            return
        sleep(len(told) / events_a_second)


def events_of(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The item's last event; and where that tells what an order did to a ticket, its seller's last word as well.

    Orders takes from Tickets its sellers' words only, never the echo of its own holds, and the last event of a ticket
    that was held since its edit is such an echo. It carries the whole ticket, so under the seller's word it is news to
    whoever missed the edit, and of an old version to everybody else. While a change is pending that word is not told:
    Orders would take a request from before it for old news. Of such a ticket it is told in the next run.
    """
    event = item.get("event")
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
        raise BadToken("this is no token of an earlier run") from error


_DESERIALIZER = TypeDeserializer()


def main() -> int:
    """Ends with 0 if all was told."""
    parser = argparse.ArgumentParser(prog="make republish", description=__doc__.partition("\n")[0])
    parser.add_argument("--stage", required=True)
    parser.add_argument("--table", required=True, choices=SERVICES)
    parser.add_argument("--token", help="where an earlier run has ended")
    parser.add_argument("--rate", type=int, default=EVENTS_A_SECOND, help="events a second")
    asked = parser.parse_args()
    stage, token = DeployedStage(asked.stage), asked.token
    try:
        for done in republish(
            table=stage.table(asked.table),
            bus=stage.bus(),
            service=asked.table,
            token=token,
            events_a_second=asked.rate,
        ):
            token = done.token
            sys.stdout.write(f"{done.items} items, {done.events} events told; TOKEN={token or '(the end)'}\n")
            sys.stdout.flush()
    except (BadToken, NotDeployed, NotPublished) as error:
        sys.stderr.write(f"{error}\nGo on with TOKEN={token or '(from the start)'}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"Stopped. Go on with TOKEN={token or '(from the start)'}\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
