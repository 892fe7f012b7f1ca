"""The cost of each operation: its calls to AWS and to Stripe, and the request units that DynamoDB charges.

A change that adds one call or one unit to a handler fails here; if it is worth it, update the figure.
Units are for a title of 20 characters; write units include those of the indexes.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from metering import counts
from metering.ledger import Run
from shared import aws
from tests.support import metered_operations as operations
from tests.support.fake_clock import FakeClock
from tests.support.metered_operations import OPERATIONS
from tests.support.metered_stack import MeteredStack
from tests.support.moto_tables import MotoTables
from tests.support.stripe_in_process import Stripe
from tests.support.world import World

BROWSER_REQUESTS = counts.FILE.with_name("browser_requests.json")


@dataclass(frozen=True)
class Cost:
    """Calls by name, read and write units, calls to Stripe."""

    calls: dict[str, int]
    reads: float = 0
    writes: int = 0
    stripe: int = 0

    @classmethod
    def of(cls, run: Run) -> "Cost":
        return cls(dict(Counter(run.operations)), run.reads, run.writes, len(run.stripe_calls))


READ = {"GetItem": 1}
READ_AND_PUT = {"GetItem": 1, "PutItem": 1}
READ_AND_PUT_TWICE = {"GetItem": 2, "PutItem": 2}
READ_AND_TRANSACTION = {"GetItem": 1, "TransactWriteItems": 1}
PLACED = {"GetItem": 2, "TransactWriteItems": 1}
PUBLISH = {"PutEvents": 1}
QUEUE = {"GetQueueAttributes": 1, "SendMessageBatch": 1}

COSTS = {
    # The mail is queued; so is the notice of a sign-in from an unknown device.
    "sign up": Cost({"UpdateItem": 1, "TransactWriteItems": 1, "SendMessage": 1}, writes=5),
    # The address, and the user with their sessions, which is written with the new one.
    "sign in": Cost({"UpdateItem": 6, "GetItem": 2, "PutItem": 1, "SendMessage": 1}, reads=2, writes=7),
    "sign in from a known device": Cost({"UpdateItem": 2, "GetItem": 2, "PutItem": 1}, reads=2, writes=3),
    "read the current user": Cost(READ, reads=1),
    "authorise a request": Cost(READ, reads=1),
    "verify an address": Cost(READ_AND_PUT, reads=1, writes=1),
    "ask for a new password": Cost({"UpdateItem": 2, "SendMessage": 1}, writes=2),
    # The user is read again for each attempt to write; the hash is made once, and takes 40 ms.
    "reset a password": Cost({"GetItem": 3, "TransactWriteItems": 1, "SendMessage": 1}, reads=3, writes=4),
    "change a password": Cost(
        {"GetItem": 3, "UpdateItem": 2, "TransactWriteItems": 1, "SendMessage": 1}, reads=3, writes=6
    ),
    "mail a link": Cost({"GetItem": 3, "PutItem": 3, "SendEmail": 1}, reads=3, writes=3),
    "sign out": Cost(READ_AND_PUT_TWICE | {"PutItem": 1}, reads=2, writes=1),
    "list sessions": Cost(READ, reads=1),
    "end a session": Cost(READ_AND_PUT, reads=1, writes=1),
    "end all sessions": Cost(READ_AND_PUT, reads=1, writes=1),
    "put a ticket on sale": Cost({"PutItem": 1}, writes=3),
    "put a ticket on sale with a key": Cost({"PutItem": 1, "TransactWriteItems": 1}, writes=7),
    "edit a ticket": Cost({"GetItem": 2, "PutItem": 2, "UpdateItem": 1}, reads=2, writes=4),
    "withdraw a ticket": Cost({"GetItem": 2, "PutItem": 2, "UpdateItem": 1}, reads=2, writes=4),
    "get a ticket": Cost(READ, reads=1),
    "list tickets on sale": Cost({"Query": 4}, reads=2),
    "list own tickets": Cost({"Query": 1, "BatchGetItem": 1}, reads=1),
    "place an order": Cost(PLACED, reads=1, writes=7),
    "place an order with the longest title": Cost(PLACED, reads=1, writes=9),
    "place an order with a key": Cost(PLACED | {"PutItem": 1}, reads=1, writes=10),
    "place the buyer's eleventh order": Cost(PLACED | {"Query": 1}, reads=4, writes=7),
    "place an order twice": Cost({"GetItem": 2}, reads=1.5),
    "order a held ticket": Cost(READ, reads=0.5),
    "order a ticket held since the read": Cost(PLACED, reads=1, writes=6),
    "take over a lapsed order": Cost(PLACED | {"GetItem": 3}, reads=2, writes=10),
    "get an order": Cost(READ, reads=1),
    "list orders": Cost({"Query": 1}, reads=0.5),
    "find the order of a ticket": Cost({"GetItem": 2}, reads=2),
    "cancel an order": Cost(READ_AND_TRANSACTION, reads=1, writes=5),
    # The sale and its order are read, and the order once more to decide.
    "refund an order": Cost({"GetItem": 3, "TransactWriteItems": 1}, reads=3, writes=5),
    "ask for a refund": Cost(READ_AND_TRANSACTION, reads=1, writes=7),
    "put a refunded ticket on sale again": Cost({"GetItem": 2, "PutItem": 2, "UpdateItem": 1}, reads=2, writes=3),
    "start a payment": Cost({"GetItem": 2, "PutItem": 1}, reads=2, writes=2, stripe=1),
    "start and confirm a payment": Cost(
        {"GetItem": 4, "PutItem": 1, "TransactWriteItems": 2}, reads=4, writes=10, stripe=2
    ),
    "get a payment": Cost(READ, reads=1),
    "get a payment that is open": Cost({"GetItem": 2, "UpdateItem": 1}, reads=2, writes=1, stripe=1),
    # The record of the key, the attempt, and the account with the response.
    "connect an account": Cost({"PutItem": 1, "GetItem": 1, "UpdateItem": 3}, reads=1, writes=4, stripe=2),
    "connect an account again": Cost(READ, reads=1, stripe=1),
    "get an account": Cost(READ, reads=1),
    "get an account that is not ready": Cost({"GetItem": 2, "UpdateItem": 1}, reads=2, writes=1, stripe=1),
    # Once it is ready, its seller is looked at if earnings wait.
    "webhook of an account": Cost({"GetItem": 2, "UpdateItem": 2}, reads=2, writes=2, stripe=1),
    "webhook authorised": Cost(READ_AND_PUT, reads=1, writes=1, stripe=1),
    "webhook captured": Cost({"GetItem": 1}, reads=1),
    "webhook refunded": Cost(READ_AND_PUT, reads=1, writes=2, stripe=1),
    "relay an event": Cost(PUBLISH),
    "expire an order": Cost(PUBLISH),
    "sweep with nothing overdue": Cost({"Query": 9}, reads=4.5),
    "sweep one order": Cost({"Query": 9} | QUEUE, reads=4.5),
    "expire an overdue order": Cost(READ_AND_TRANSACTION, reads=1, writes=5),
    "reconcile with nothing unsettled": Cost({"Query": 8} | READ_AND_PUT, reads=4.5, writes=1, stripe=2),
    "reconcile one payment": Cost(
        # One message for the undelivered event of the payment, one for the due payment.
        {"Query": 8, "GetItem": 2, "PutItem": 1, "GetQueueAttributes": 1, "SendMessageBatch": 2},
        reads=5.5,
        writes=1,
        stripe=2,
    ),
    "settle a due payment": Cost(READ_AND_PUT, reads=1, writes=1, stripe=1),
    "find payouts with nothing due": Cost({"GetItem": 1, "Query": 8}, reads=4.5),
    "find one due payout": Cost({"GetItem": 1, "Query": 8} | QUEUE, reads=4.5),
    # Earnings, payment, account and seller are read, and the earnings again to record Stripe's answer; both writes
    # change the seller's totals.
    "send a payout": Cost({"GetItem": 5, "TransactWriteItems": 2}, reads=5, writes=9, stripe=4),
    "look at a payout without an account": Cost({"GetItem": 3, "TransactWriteItems": 1}, reads=3, writes=7, stripe=2),
    "look at a seller without an account": Cost({"GetItem": 2, "UpdateItem": 1}, reads=2, writes=3),
    "list earnings": Cost({"Query": 1, "BatchGetItem": 1, "GetItem": 1}, reads=2),
    "export earnings": Cost({"Query": 1, "BatchGetItem": 1}, reads=1),
}

type Scenario = Callable[[MeteredStack], None]

# The listener, the event, and the scenario in which it occurs.
REACTIONS: dict[tuple[str, str, Scenario], Cost] = {
    ("orders.listener", "ticket:created", operations.bought): Cost({"UpdateItem": 1}, writes=1),
    ("orders.listener", "ticket:updated", operations.edited): Cost({"UpdateItem": 1}, writes=1),
    ("orders.listener", "ticket:change-requested", operations.edited): Cost(READ_AND_PUT, reads=1, writes=1),
    ("orders.listener", "ticket:change-requested", operations.edited_after_a_lapse): Cost(
        {"GetItem": 2, "TransactWriteItems": 1}, reads=2, writes=5
    ),
    ("orders.listener", "ticket:change-requested", operations.edited_too_late): Cost(READ_AND_PUT, reads=1, writes=1),
    ("tickets.listener", "ticket:change-accepted", operations.edited): Cost(READ_AND_PUT, reads=1, writes=2),
    ("tickets.listener", "ticket:change-declined", operations.edited_too_late): Cost(READ_AND_PUT, reads=1, writes=2),
    ("orders.listener", "payment:authorized", operations.bought): Cost(READ_AND_TRANSACTION, reads=1, writes=5),
    # With the record by which the seller finds the sale.
    ("orders.listener", "payment:created", operations.bought): Cost(READ_AND_TRANSACTION, reads=1, writes=6),
    ("orders.listener", "payment:failed", operations.not_captured): Cost(READ_AND_TRANSACTION, reads=1, writes=4),
    ("orders.listener", "expiration:completed", operations.lapsed): Cost(READ_AND_TRANSACTION, reads=1, writes=5),
    ("tickets.listener", "order:created", operations.bought): Cost(READ_AND_PUT, reads=1, writes=2),
    ("tickets.listener", "order:awaiting-payment", operations.bought): Cost(READ_AND_PUT, reads=1, writes=2),
    ("tickets.listener", "order:completed", operations.bought): Cost(READ_AND_PUT, reads=1, writes=1),
    ("tickets.listener", "order:cancelled", operations.lapsed): Cost(READ_AND_PUT, reads=1, writes=2),
    ("payments.listener", "order:created", operations.bought): Cost(READ_AND_PUT, reads=1, writes=1),
    ("payments.listener", "order:awaiting-payment", operations.bought): Cost(READ_AND_PUT, reads=1, writes=1, stripe=1),
    # The earnings and the seller's totals are written with the payment.
    ("payments.listener", "order:completed", operations.bought): Cost(
        {"GetItem": 2, "TransactWriteItems": 1}, reads=2, writes=9
    ),
    ("payments.listener", "order:cancelled", operations.lapsed): Cost(READ_AND_PUT, reads=1, writes=1),
    ("payments.listener", "order:cancelled", operations.cancelled_while_paying): Cost(
        READ_AND_PUT_TWICE, reads=2, writes=3, stripe=2
    ),
    ("orders.listener", "payment:partly-refunded", operations.refunded): Cost(READ_AND_TRANSACTION, reads=1, writes=6),
    ("orders.listener", "payment:refunded", operations.refunded): Cost(READ_AND_TRANSACTION, reads=1, writes=6),
    ("tickets.listener", "order:refunded", operations.refunded): Cost(READ_AND_PUT, reads=1, writes=1),
    ("tickets.listener", "order:refund-requested", operations.refunded_by_the_seller): Cost(
        READ_AND_PUT, reads=1, writes=1
    ),
    ("payments.listener", "order:refund-requested", operations.refunded_by_the_seller): Cost(
        {"GetItem": 3, "TransactWriteItems": 1, "PutItem": 1}, reads=3, writes=9, stripe=3
    ),
    ("payments.listener", "order:refunded", operations.refunded): Cost(
        {"GetItem": 2, "TransactWriteItems": 1}, reads=2, writes=8
    ),
    ("expiration.listener", "order:created", operations.bought): Cost({"CreateSchedule": 1}),
    ("expiration.listener", "order:awaiting-payment", operations.bought): Cost({"DeleteSchedule": 1}),
}


_costs: dict[Scenario, dict[tuple[str, str], Cost]] = {}


def costs_in(scenario: Scenario, stack: MeteredStack) -> dict[tuple[str, str], Cost]:
    """Run a scenario once; return the cost of the newest run of each function and trigger."""
    if scenario not in _costs:
        before = len(stack.ledger.runs)
        scenario(stack)
        _costs[scenario] = {(run.function, run.trigger): Cost.of(run) for run in stack.ledger.runs[before:]}
    return _costs[scenario]


@pytest.fixture
def stack(
    tables: MotoTables, world: World, time: FakeClock, monkeypatch: pytest.MonkeyPatch, stripe: Stripe
) -> MeteredStack:
    return MeteredStack(tables, time, monkeypatch, stripe)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_has_the_listed_cost(stack: MeteredStack, operation: str) -> None:
    run = OPERATIONS[operation](stack)

    assert Cost.of(run) == COSTS[operation]
    assert counts.of_run(run) == counts.read().operations[operation], (
        "run `python -m benchmarks.calls` to update counts.json"
    )


@pytest.mark.parametrize(
    "reaction", REACTIONS, ids=[f"{service} to {event}, {scenario.__name__}" for service, event, scenario in REACTIONS]
)
def test_a_listener_has_the_listed_cost(stack: MeteredStack, reaction: tuple[str, str, Scenario]) -> None:
    function, event, scenario = reaction

    assert costs_in(scenario, stack)[function, event] == REACTIONS[reaction]


def test_every_event_of_a_listener_has_a_listed_cost(stack: MeteredStack) -> None:
    costed = {
        reaction for scenario in {scenario for _, _, scenario in REACTIONS} for reaction in costs_in(scenario, stack)
    }

    assert {(function, event) for function, event in costed if function.endswith(".listener")} == {
        (function, event) for function, event, _ in REACTIONS
    }


def test_a_purchase_makes_the_runs_in_counts_json(stack: MeteredStack) -> None:
    rows = counts.of_runs(operations.purchase(stack))

    assert rows == counts.read().purchase, "run `python -m benchmarks.calls` to update counts.json"


def test_the_buyer_makes_the_requests_that_a_browser_makes() -> None:
    """web/e2e/requests.spec.ts compares the same list with a purchase in a browser."""
    buyers = {row.trigger: row.runs for row in counts.read().purchase if row.is_http}
    for others in ("POST /api/tickets", "POST /api/payments/webhook"):
        del buyers[others]

    assert buyers == json.loads(BROWSER_REQUESTS.read_text())


def test_the_ledger_charges_for_a_failed_condition(stack: MeteredStack, tables: MotoTables) -> None:
    """The charge is for the larger of the existing item and the new one; indexes are not charged."""
    [order] = [item for item in _ordered(stack, tables) if item["sk"].startswith("order#")]
    tables.resource.Table("orders").put_item(Item=order | {"fill": "x" * 3000})
    key = {name: {"S": order[name]} for name in ("pk", "sk")}
    condition: dict[str, Any] = {"TableName": "orders", "ConditionExpression": "attribute_not_exists(pk)"}
    smaller, larger = key, key | {"fill": {"S": "x" * 5000}}

    units = []
    for item in (smaller, larger):
        with stack.ledger.run("orders.api", "a refusal") as run, pytest.raises(ClientError, match="conditional"):
            aws.dynamodb().put_item(Item=item, **condition)
        units.append((run.table_writes, run.index_writes.total()))

    assert units == [(4, 0), (5, 0)]


def test_the_ledger_raises_on_an_operation_it_cannot_count(stack: MeteredStack) -> None:
    with stack.ledger.run("orders.api", "a scan"), pytest.raises(ValueError, match="cannot count Scan"):
        aws.dynamodb().scan(TableName="orders")


def _ordered(stack: MeteredStack, tables: MotoTables) -> list[dict[str, Any]]:
    stack.ordered()
    return tables.items("orders")
