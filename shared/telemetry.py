"""Structured logs, business metrics, and the correlation of a request with its effects.

A log line must not contain a password, a token, card data or an e-mail address. Caller input is therefore never
logged, and models do not include their input in errors. Exceptions of libraries can still contain secrets: `_REDACTED`
replaces everything in a line that has the form of one.
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
    r"|\b(?:sk|rk|whsec|tok|pm|src)_\w+|\bcard_\w*\d\w*"  # a Stripe key, or a token or id of a card
    r"|\bpi_\w+_secret_\w+",  # a client secret, with which a browser confirms a payment
    re.ASCII,
)


_encode = json.JSONEncoder(default=str).encode


def _serialize(line: dict[str, object]) -> str:
    return _REDACTED.sub("[redacted]", _encode(line))


# Powertools adds X-Ray's trace id from the environment that Lambda sets, without loading the X-Ray SDK. The message
# identifies the place in the code; its file and line would be a tenth of all bytes.
logger = Logger(use_rfc3339=True, utc=True, serialize_stacktrace=False, json_serializer=_serialize, location=None)


@dataclass(frozen=True, slots=True)
class Trace:
    """The ids of the first request of a causal chain, and of the message that directly caused the current work."""

    correlation_id: str
    causation_id: str


_trace: ContextVar[Trace] = ContextVar("trace")


@contextmanager
def follow(trace: Trace) -> Iterator[None]:
    """Attach the trace to all log lines and events that are created inside the context."""
    token = _trace.set(trace)
    logger.append_keys(correlation_id=trace.correlation_id, causation_id=trace.causation_id)
    try:
        yield
    finally:
        logger.remove_keys(["correlation_id", "causation_id"])
        _trace.reset(token)


def current_trace() -> Trace | None:
    """Return the trace of the current call, or None."""
    return _trace.get(None)


def count(metric: str, number: float = 1) -> None:
    """Add to a business metric.

    Count a fact once, after the write that establishes it. If the process dies between the two, the fact is not
    counted: metrics are approximate, and accounting uses the tables.
    """
    _put(metric, number, "Count")


def measure(metric: str, seconds: float) -> None:
    """Add a value in seconds to a metric from which CloudWatch computes percentiles and extremes."""
    _put(metric, seconds, "Seconds")


def _put(metric: str, value: float, unit: str) -> None:
    """Write the value to the log in CloudWatch's embedded metric format, which needs no API call that can fail.

    Powertools' metrics module is not used, since its import would slow every cold start.
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
