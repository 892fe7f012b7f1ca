"""Structured logs, counted business facts, and the thread that ties one request to all that follows from it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from aws_lambda_powertools import Logger

logger = Logger(use_rfc3339=True, utc=True, serialize_stacktrace=False)


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


def count(metric: str, number: int = 1) -> None:
    """Add to a business metric (CloudWatch embedded metric format, so no call is made)."""
    from aws_lambda_powertools.metrics import MetricUnit, single_metric

    with single_metric(name=metric, unit=MetricUnit.Count, value=number):
        pass
