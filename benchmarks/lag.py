"""Replication lag: the time until Orders knows a ticket that was put on sale, on the local stack.

The path is the table's stream, the relay, the bus, a queue and the listener, all on the local AWS. It reads streams and
queues at once, where Lambda polls a stream four times a second: the figures show that nothing waits for long, not the
lag on AWS.
"""

import time
from datetime import datetime
from typing import Any

from benchmarks.result import Result, percentile, spread
from local.stack import LOCAL, LocalStack, temporary_stack

TICKETS = 100
WARM_UP = 5
POLL_SECONDS = 0.005
TIMEOUT_SECONDS = 60


def measure() -> list[Result]:
    """The median and the 99th percentile."""
    with temporary_stack("lag", order_window_seconds=300, logs=LOCAL / "logs" / "lag") as stack:
        lags = _lags(stack, TICKETS + WARM_UP)[WARM_UP:]
    return [
        Result(what="lag, write to consumer: p50", figure=percentile(lags, 50), unit="s", spread=spread(lags)),
        Result(what="lag, write to consumer: p99", figure=percentile(lags, 99), unit="s"),
    ]


def _lags(stack: LocalStack, count: int) -> list[float]:
    seller = stack.api.sign_up_or_in("seller@example.com", "correct horse battery")
    tables = stack.aws.dynamodb()
    [table] = (name for name in tables.list_tables()["TableNames"] if "OrdersTable" in name)
    lags = []
    for _ in range(count):
        ticket: dict[str, Any] = seller.post("/api/tickets", {"title": "Row 1", "price": "10.00"}).expect(201)
        written = datetime.fromisoformat(ticket["createdAt"]).timestamp()
        key: Any = {"pk": {"S": f"ticket#{ticket['id']}"}, "sk": {"S": "ticket"}}
        while "Item" not in tables.get_item(TableName=table, Key=key, ConsistentRead=True):
            if time.time() > written + TIMEOUT_SECONDS:
                raise RuntimeError(f"Orders does not know ticket {ticket['id']} after {TIMEOUT_SECONDS} s")
            time.sleep(POLL_SECONDS)
        lags.append(time.time() - written)
    return lags
