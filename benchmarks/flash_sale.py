"""Many buyers, few tickets: the throughput of the handlers relative to that of DynamoDB.

Runs the real handlers, in processes that start at the same instant, against the local AWS's DynamoDB; and, in
alternation, the same read and transaction for each order, sent directly by the same number of processes. A run whose
number of winners differs from the number of tickets raises an error and yields no figure.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.result import Result, spread
from benchmarks.zips import template
from shared import aws
from shared.ids import new_id
from tests.support.race_environment import Sandbox, open_environment, order, person

PROCESSES = 16
SALES = {"one ticket": (1, 1_000), "many tickets": (200, 2_000)}  # tickets, buyers
QUICK_SALES = {"one ticket": (1, 250), "many tickets": (50, 500)}
WARM_UP = (1, 100)
ROUNDS = 5
QUICK_ROUNDS = 2
TARGET = 0.7
WINDOW_MILLISECONDS = 300_000


@dataclass(frozen=True, slots=True)
class RawOrder:
    """The DynamoDB calls of an order and nothing else: read the ticket's copy; if it is free, write hold and order."""

    ticket: str
    buyer: str

    def run(self, environment: Mapping[str, str]) -> bool:
        """Send the calls. Returns True if the order was placed."""
        table, client = environment["ORDERS_TABLE"], aws.dynamodb()
        key: Any = {"pk": {"S": f"ticket#{self.ticket}"}, "sk": {"S": "ticket"}}
        item: Any = client.get_item(TableName=table, Key=key)["Item"]
        if "holdOrderID" in item:
            return False
        deadline = {"N": str(time.time_ns() // 1_000_000 + WINDOW_MILLISECONDS)}
        placed: Any = {name: {"S": "x" * 24} for name in ORDER} | {
            "pk": {"S": f"user#{self.buyer}"},
            "sk": {"S": f"order#{new_id()}"},
            "expiresAt": deadline,
            "openPartition": {"S": "0"},
            "event": {"M": {"id": {"S": new_id()}, "type": {"S": "order:created"}, "detail": {"S": "x" * 500}}},
        }
        hold: Any = {
            "TableName": table,
            "Key": key,
            "UpdateExpression": "SET holdOrderID = :order, holdUserID = :user, holdExpiresAt = :deadline,"
            " holdNumber = :next",
            "ConditionExpression": "holdNumber = :number AND title = :title AND price = :price AND withdrawn = :no",
            "ExpressionAttributeValues": {
                ":order": placed["sk"],
                ":user": placed["pk"],
                ":deadline": deadline,
                ":next": {"N": str(int(item["holdNumber"]["N"]) + 1)},
                ":number": item["holdNumber"],
                ":title": item["title"],
                ":price": item["price"],
                ":no": {"BOOL": False},
            },
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        create: Any = {
            "TableName": table,
            "Item": placed,
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            client.transact_write_items(TransactItems=[{"Update": hold}, {"Put": create}])
        except client.exceptions.TransactionCanceledException:
            return False
        return True


ORDER = ("id", "userID", "status", "ticketID", "title", "price", "currency", "hold", "version", "createdAt")


def measure(*, quick: bool) -> list[Result]:
    """The handlers' throughput ÷ that of raw calls, for each sale."""
    results = []
    with tempfile.TemporaryDirectory() as folder, open_environment(Path(folder), template()) as race_environment:
        _raw(race_environment.sandbox(), *WARM_UP)
        for sale, (tickets, buyers) in (QUICK_SALES if quick else SALES).items():
            ratios, paces = [], []
            for number in range(QUICK_ROUNDS if quick else ROUNDS):
                contest = [_raw, _handlers] if number % 2 else [_handlers, _raw]
                seconds = {run: run(race_environment.sandbox(), tickets, buyers) for run in contest}
                ratios.append(seconds[_raw] / seconds[_handlers])
                paces.append(buyers / seconds[_handlers])
            results += [
                Result(
                    what=f"flash sale, {sale}",
                    figure=statistics.median(ratios),
                    unit="of raw calls' throughput",
                    target=TARGET,
                    at_least=True,
                    spread=spread(ratios),
                ),
                Result(
                    what=f"flash sale, {sale}: pace",
                    figure=statistics.median(paces),
                    unit="orders tried a second",
                    spread=spread(paces),
                ),
            ]
    return results


def _handlers(sandbox: Sandbox, tickets: int, buyers: int) -> float:
    """The duration of the sale with the handlers, in seconds."""
    requests = [order(ticket, person()) for ticket in _tickets_in_random_order(sandbox.on_sale(tickets), buyers)]
    began = time.monotonic()
    outcomes = sandbox.at_once(requests, processes=PROCESSES)
    took = time.monotonic() - began
    sandbox.check()
    _must_be(tickets, sum(outcome.status == 201 for outcome in outcomes))
    return took


def _raw(sandbox: Sandbox, tickets: int, buyers: int) -> float:
    """The duration of the sale with raw calls, in seconds."""
    requests: Any = [
        RawOrder(ticket, new_id()) for ticket in _tickets_in_random_order(sandbox.on_sale(tickets), buyers)
    ]
    began = time.monotonic()
    won: Any = sandbox.at_once(requests, processes=PROCESSES)
    took = time.monotonic() - began
    _must_be(tickets, sum(won))
    return took


def _tickets_in_random_order(tickets: Sequence[str], buyers: int) -> list[str]:
    requests = list(tickets) * (buyers // len(tickets))
    random.Random(1).shuffle(requests)  # noqa: S311  # an order, no secret
    return requests


def _must_be(tickets: int, winners: int) -> None:
    if winners != tickets:
        raise RuntimeError(f"{winners} buyers got one of {tickets} tickets")
