"""Structured logs, counted business facts, and the thread that ties one request to all that follows from it.

No log line may hold a password, a token, card data or an e-mail address. So nothing that callers send is ever logged,
and no model quotes its input in its errors. What libraries put into their exceptions is not in our hand: `_REDACTED`
takes out of each line whatever has the form of a secret.
"""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from aws_lambda_powertools import Logger

NAMESPACE = "AdmitOne"

_REDACTED = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.-]+"  # an e-mail address
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"  # a JWT
    r"|\b(?:sk|rk|whsec|tok|pm|src)_\w+|\bcard_\w*\d\w*"  # what opens Stripe, or stands for a card there
    r"|\bpi_\w+_secret_\w+",  # what lets a browser confirm a payment
    re.ASCII,
)


def _serialize(line: dict[str, object]) -> str:
    return _REDACTED.sub("[redacted]", json.dumps(line, default=str))


# Powertools puts X-Ray's trace id beside our own ids, from the environment that Lambda sets: no SDK is loaded for it.
logger = Logger(use_rfc3339=True, utc=True, serialize_stacktrace=False, json_serializer=_serialize)


@dataclass(frozen=True, slots=True)
class Trace:
    """What led here: the first request of the whole story, and the message that is its direct cause."""

    correlation_id: str
    causation_id: str


_trace: ContextVar[Trace] = ContextVar("trace")


@contextmanager
def follow(trace: Trace) -> Iterator[None]:
    """Everything logged and every event told inside belongs to this trace."""
    token = _trace.set(trace)
    logger.append_keys(correlation_id=trace.correlation_id, causation_id=trace.causation_id)
    try:
        yield
    finally:
        logger.remove_keys(["correlation_id", "causation_id"])
        _trace.reset(token)


def current_trace() -> Trace | None:
    """The trace of the call in progress, if it has one."""
    return _trace.get(None)


def count(metric: str, number: float = 1) -> None:
    """Add to a business metric.

    A fact is counted after the write that makes it one, and not when it is repeated. A process that dies between the
    two leaves it uncounted: metrics show how a day goes, the tables are what the books are made of.
    """
    _put(metric, number, "Count")


def measure(metric: str, seconds: float) -> None:
    """One more value of a metric of which CloudWatch makes percentiles and extremes."""
    _put(metric, seconds, "Seconds")


def _put(metric: str, value: float, unit: str) -> None:
    """Write the value as CloudWatch's embedded metric format: a line in the log, so no call is made and none can fail.

    By hand, since the format is ten lines and the library's import would be paid in every cold start.
    """
    line: dict[str, object] = {
        "_aws": {
            "Timestamp": time.time_ns() // 1_000_000,
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [["stage"]],
                    "Metrics": [{"Name": metric, "Unit": unit}],
                }
            ],
        },
        "stage": os.environ["STAGE"],
        metric: value,
    }
    if trace := current_trace():
        line["correlation_id"] = trace.correlation_id
    sys.stdout.write(json.dumps(line) + "\n")
