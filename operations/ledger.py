"""`make ledger STAGE=dev FROM=2026-11-01 TO=2026-12-01`: compare the table of Payments with Stripe's balance.

For each charge that was captured in these days (UTC, `TO` exclusive, by default until now):

    captured = returned + transferred - taken back from the seller + fee + held

Returned is what was refunded or lost in disputes. Prints each order for which a figure differs from Stripe's balance
transactions, or the sum does not add up, ends with code 1 if there is one, and publishes their number, on which
an alarm is. Orders whose money has moved within the
last minutes are left out, as are those whose money is on its way: the bank has it, or a refund or a transfer is not
finished.

Both sides are read page by page into a temporary database on disk, so memory does not grow with their number.
"""

import argparse
import json
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import stripe
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

from operations.stage import DeployedStage, NotDeployed
from shared import aws, clock
from shared.money import CURRENCIES, MinorUnits, format_amount
from shared.telemetry import NAMESPACE

PAGE = 100  # balance transactions, the most that Stripe returns
METRIC = "LedgerDiffers"
"""How many orders differed in the last run."""
SETTLES_WITHIN = timedelta(minutes=15)
"""How long an order may take to be recorded after its money has moved."""
MARGIN = timedelta(days=1)
"""Stripe is read from this long before the first day, because a payment may be recorded long after its capture."""

_SCHEMA = """
CREATE TABLE movement (reference TEXT, kind TEXT, amount INTEGER, at INTEGER);
CREATE INDEX by_reference ON movement (reference);
CREATE TABLE charge (id TEXT PRIMARY KEY, intent TEXT, orderID TEXT, currency TEXT, at INTEGER);
CREATE TABLE transfer (id TEXT PRIMARY KEY, charge TEXT);
CREATE TABLE payment (
    intent TEXT PRIMARY KEY, orderID TEXT, orderStatus TEXT, currency TEXT, captured INTEGER, refunded INTEGER,
    isPending INTEGER, paidAt INTEGER);
CREATE TABLE earning (
    orderID TEXT PRIMARY KEY, price INTEGER, fee INTEGER, due INTEGER, transferred INTEGER, reversed INTEGER,
    isMoving INTEGER);
"""
_CHARGED = """
WITH moved AS (
    SELECT coalesce(transfer.charge, movement.reference) AS charge, max(at) AS newest,
        sum(amount) FILTER (WHERE kind = 'captured') AS captured,
        -sum(amount) FILTER (WHERE kind = 'returned') AS returned,
        -sum(amount) FILTER (WHERE kind = 'bank') AS bank,
        -sum(amount) FILTER (WHERE kind = 'transferred') AS transferred,
        sum(amount) FILTER (WHERE kind = 'reversed') AS reversed
    FROM movement LEFT JOIN transfer ON transfer.id = movement.reference GROUP BY 1)
SELECT charge.orderID AS orderID, charge.currency AS currency, newest, moved.captured AS captured,
    coalesce(returned, 0) AS returned, coalesce(bank, 0) AS bank, coalesce(moved.transferred, 0) AS transferred,
    coalesce(moved.reversed, 0) AS reversed, payment.captured AS recordedCaptured,
    payment.refunded AS recordedReturned, orderStatus, isPending, fee, due,
    coalesce(earning.transferred, 0) AS recordedTransferred, coalesce(earning.reversed, 0) AS recordedReversed, isMoving
FROM charge JOIN moved ON moved.charge = charge.id LEFT JOIN payment ON payment.intent = charge.intent
    LEFT JOIN earning ON earning.orderID = payment.orderID
WHERE charge.at >= :since AND charge.at < :until ORDER BY charge.orderID, charge.id
"""
_MISSING = """
SELECT orderID, captured, currency FROM payment
WHERE captured > 0 AND paidAt >= :since AND paidAt < :until AND intent NOT IN (SELECT intent FROM charge)
ORDER BY orderID
"""
_FIGURES = (
    ("captured", "captured", "recordedCaptured"),
    ("returned", "returned", "recordedReturned"),
    ("transferred", "transferred", "recordedTransferred"),
    ("taken back", "reversed", "recordedReversed"),
)


@dataclass(frozen=True, slots=True)
class Checked:
    """The result for one order: what differs, and whether its money was still moving, so that nothing was compared."""

    order_id: str
    differences: tuple[str, ...] = ()
    is_moving: bool = False


class Books:
    """What Stripe and the table say, in a temporary database. `stage` is the metadata of our charges."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._database = sqlite3.connect("")  # a file without a name, removed at the end
        self._database.row_factory = sqlite3.Row
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Remove the database."""
        self._database.close()

    def add_transactions(self, transactions: Iterable[Any]) -> None:
        """Add balance transactions of the platform, with their sources expanded."""
        for transaction in transactions:
            source = transaction.source
            kind = _kind(transaction)
            if kind is None or isinstance(source, str) or source is None:
                continue
            if kind == "captured":
                self._add_charge(source, transaction.created)
            elif kind == "transferred":
                self._database.execute(
                    "INSERT OR IGNORE INTO transfer VALUES (?, ?)", (source.id, source.source_transaction)
                )
            reference = {"captured": "id", "transferred": "id", "reversed": "transfer"}.get(kind, "charge")
            row = (getattr(source, reference), kind, transaction.amount, transaction.created)
            self._database.execute("INSERT INTO movement VALUES (?, ?, ?, ?)", row)

    def add_items(self, items: Iterable[dict[str, Any]]) -> None:
        """Add items of the table of Payments."""
        for item in items:
            if item["pk"].startswith("order#") and "stripeID" in item:
                self._add_payment(item)
            elif item["pk"].startswith("earning#"):
                self._add_earning(item)

    def check(self, *, since: datetime, until: datetime, now: datetime) -> Iterator[Checked]:
        """Yield the result for each order whose charge was captured from `since` until before `until`."""
        times = {"since": clock.to_millis(since), "until": clock.to_millis(min(until, now - SETTLES_WITHIN))}
        for row in self._database.execute(_MISSING, times):
            yield Checked(row["orderID"], (f"captured {_amount(row, row['captured'])} here, nothing at Stripe",))
        for row in self._database.execute(_CHARGED, {"since": since.timestamp(), "until": until.timestamp()}):
            settled_before = (now - SETTLES_WITHIN).timestamp()
            if row["newest"] > settled_before or row["isPending"] or row["isMoving"] or row["bank"]:
                yield Checked(row["orderID"], is_moving=True)
            else:
                yield Checked(row["orderID"], tuple(_differences(row)))

    def _add_charge(self, charge: Any, captured_at: int) -> None:
        metadata = charge.metadata.to_dict()
        if metadata.get("stage") == self._stage and "orderID" in metadata:
            row = (charge.id, charge.payment_intent, metadata["orderID"], charge.currency, captured_at)
            self._database.execute("INSERT OR IGNORE INTO charge VALUES (?, ?, ?, ?, ?)", row)

    def _add_payment(self, item: dict[str, Any]) -> None:
        is_captured = item.get("status") in ("captured", "refunded")
        is_pending = item.get("refundStatus") == "pending" or item["orderStatus"] == "refunding"
        row = (
            *(item["stripeID"], item["orderID"], item["orderStatus"], item["currency"]),
            *(int(item["amount"]) if is_captured else 0, int(item.get("refunded", 0))),
            *(is_pending, int(item.get("paidAt", 0))),
        )
        self._database.execute("INSERT INTO payment VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def _add_earning(self, item: dict[str, Any]) -> None:
        price, fee = int(item["price"]), int(item["fee"])
        is_due = item["orderStatus"] == "completed"
        due = max(0, price - fee - int(item.get("orderRefunded", 0))) if is_due else 0
        moved = (int(item.get("transferred", 0)), int(item.get("reversed", 0)))
        row = (item["orderID"], price, fee, due, *moved, "operation" in item and "answer" not in item["operation"])
        self._database.execute("INSERT INTO earning VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def _kind(transaction: Any) -> str | None:
    """Return what a balance transaction means for an order; None if it concerns none, such as a payout of ours."""
    match transaction.reporting_category:
        case "charge":
            return "captured"
        case "refund" | "refund_failure":
            return "returned"
        case "dispute" | "dispute_reversal":
            return "returned" if getattr(transaction.source, "status", None) == "lost" else "bank"
        case "transfer":
            return "transferred"
        case "transfer_reversal":
            return "reversed"
        case _:
            return None


def _differences(row: sqlite3.Row) -> Iterator[str]:
    if row["recordedCaptured"] is None:
        if row["captured"] != row["returned"]:
            yield f"captured {_amount(row, row['captured'])} at Stripe for a payment that is not recorded"
        return
    for name, at_stripe, recorded in _FIGURES:
        if row[at_stripe] != row[recorded]:
            yield f"{name} {_amount(row, row[recorded])} here, {_amount(row, row[at_stripe])} at Stripe"
    if row["fee"] is None:
        return
    kept = row["captured"] - row["returned"]
    sent = row["transferred"] - row["reversed"]
    fee = min(row["fee"], max(0, kept))
    held = max(0, row["due"] - (row["recordedTransferred"] - row["recordedReversed"]))
    if kept != sent + fee + held:
        parts = ", ".join(
            f"{name} {_amount(row, amount)}"
            for name, amount in (("returned", row["returned"]), ("sent", sent), ("fee", fee), ("held", held))
        )
        yield f"captured {_amount(row, row['captured'])} is not the sum of {parts}"


def _amount(row: sqlite3.Row, amount: int) -> str:
    sign = "-" if amount < 0 else ""
    return f"{sign}{format_amount(MinorUnits(abs(amount)), CURRENCIES[row['currency']])}"


def transactions_of(client: stripe.StripeClient, *, since: datetime) -> Iterator[Any]:
    """Yield the platform's balance transactions since an instant, newest first, with their sources."""
    page = client.v1.balance_transactions.list(
        {"created": {"gte": int(since.timestamp())}, "limit": PAGE, "expand": ["data.source"]}
    )
    yield from page.auto_paging_iter()


def items_of(table: str) -> Iterator[dict[str, Any]]:
    """Yield the items of a table, page by page."""
    read = TypeDeserializer().deserialize
    for page in aws.dynamodb().get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            yield {name: read(value) for name, value in item.items()}


def _client(stage: DeployedStage) -> stripe.StripeClient:
    """Return a client with the key for sellers' money, which may read the balance. Raises NotDeployed."""
    secret = stage.outputs().get("PayoutSecretName")
    if secret is None:
        raise NotDeployed(f"{stage.stack} has no secret for sellers' money")
    stored = json.loads(aws.secretsmanager().get_secret_value(SecretId=secret)["SecretString"])
    if not stored["secretKey"]:
        raise NotDeployed(f"the secret for sellers' money of {stage.stack} holds no key")
    return stripe.StripeClient(stored["secretKey"], max_network_retries=3)


def compare(
    books: Books, *, client: stripe.StripeClient, table: str, since: datetime, until: datetime, now: datetime
) -> Iterator[Checked]:
    """Read Stripe and then the table, and yield the result for each order. Raises stripe.StripeError, ClientError."""
    books.add_transactions(transactions_of(client, since=since - MARGIN))
    books.add_items(items_of(table))
    yield from books.check(since=since, until=until, now=now)


def report(results: Iterable[Checked]) -> int:
    """Print what differs and a summary; returns how many orders differ."""
    orders = moving = differing = 0
    for result in results:
        orders += 1
        moving += result.is_moving
        differing += bool(result.differences)
        for difference in result.differences:
            sys.stdout.write(f"order {result.order_id}: {difference}\n")
    sys.stdout.write(f"{orders} orders: {differing} differ, {moving} not compared because their money is moving\n")
    return differing


def publish(stage: str, differing: int) -> None:
    """Publish how many orders differ, as the metric of the alarm `ledger-differs`. Raises ClientError."""
    metric: Any = {
        "MetricName": METRIC,
        "Dimensions": [{"Name": "stage", "Value": stage}],
        "Value": differing,
        "Unit": "Count",
    }
    boto3.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=[metric])


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)


def main() -> int:
    """Run the command; returns 0 if the books agree, 1 if they differ, 2 if they could not be read."""
    parser = argparse.ArgumentParser(prog="make ledger", description=__doc__.partition("\n")[0])
    parser.add_argument("--stage", required=True)
    parser.add_argument("--since", required=True, type=_day, help="the first day (UTC), such as 2026-11-01")
    parser.add_argument("--until", type=_day, help="the day after the last one; by default until now")
    arguments = parser.parse_args()
    stage, now = DeployedStage(arguments.stage), clock.now()
    with closing(Books(arguments.stage)) as books:
        try:
            differing = report(
                compare(
                    books,
                    client=_client(stage),
                    table=stage.table("payments"),
                    since=arguments.since,
                    until=arguments.until or now,
                    now=now,
                )
            )
            publish(stage.name, differing)
            return min(differing, 1)
        except (NotDeployed, stripe.StripeError, ClientError) as error:
            sys.stderr.write(f"{error}\n")
            return 2


if __name__ == "__main__":
    sys.exit(main())
