"""The proxy between a function and AWS, which injects a fault into one chosen call.

The calls pass through microburst, which applies the fault named by the request's own header. Its rules are therefore
set once, and this module, which counts the calls, decides which call gets the fault. It applies to each attempt of the
SDK, except SDK_RETRY, which applies to the first.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.retries.quota import RetryQuota
from botocore.retries.standard import ExponentialBackoff, RetryContext

from shared import aws
from tests.support.faults import (
    CONFLICT,
    CRASH,
    RESPONSE_LOST,
    SDK_RETRY,
    SERVER_ERROR,
    THROTTLE,
    TIMEOUT,
    UNREACHABLE,
    FaultKind,
)
from tests.support.thoroughness import THOROUGH

HEADER = "x-fault"
PROXY_RULES = {SDK_RETRY: RESPONSE_LOST, CRASH: UNREACHABLE}  # the rules that stand for faults without their own
TIMEOUT_SECONDS = 0.7  # in place of the 2 s of shared.aws, to save time
TABLE_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"})
WRITES = TABLE_WRITES | {"PutEvents", "CreateSchedule", "DeleteSchedule", "SendMessage", "SendEmail"}

RULES: list[dict[str, Any]] = [
    {"service": "*", "headers": {HEADER: THROTTLE}, "error": {"code": "ThrottlingException", "status": 400}},
    {
        "service": "dynamodb",
        "operation": "TransactWriteItems",
        "headers": {HEADER: CONFLICT},
        "error": {
            "code": "TransactionCanceledException",
            "status": 400,
            "fields": {"CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}]},
        },
    },
    {
        "service": "dynamodb",
        "headers": {HEADER: CONFLICT},
        "error": {"code": "TransactionConflictException", "status": 400},
    },
    {"service": "*", "headers": {HEADER: SERVER_ERROR}, "error": {"code": "InternalServerError", "status": 500}},
    {"service": "*", "headers": {HEADER: UNREACHABLE}, "reset": True},
    {"service": "*", "headers": {HEADER: TIMEOUT}, "timeout_ms": 10_000},
    {"service": "*", "headers": {HEADER: RESPONSE_LOST}, "response": {"abort_bytes": 0}},
]


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault and the call that gets it: the second `GetItem`, for example."""

    kind: FaultKind
    call: str
    number: int


def faults_of(calls: Sequence[str], *, thorough: bool = THOROUGH) -> Iterator[Fault]:
    """Every fault that can apply to each of these calls; of repeated queries in a loop, only the first and the last.

    Unless thorough, a sample: on each call a crash and a lost response, and one to three of the other kinds in turn.
    """
    for index, name in enumerate(calls):
        number, count = calls[: index + 1].count(name), calls.count(name)
        if name == "Query" and 1 < number < count:
            continue
        for order, kind in enumerate(FaultKind):
            if not thorough and kind not in (CRASH, RESPONSE_LOST) and (order - index) % 3:
                continue
            if kind in (RESPONSE_LOST, SDK_RETRY) and name not in WRITES:
                continue  # a lost response to a read equals an unreachable endpoint
            if kind is CONFLICT and name not in TABLE_WRITES:
                continue
            yield Fault(kind, name, number)


@dataclass(slots=True)
class _CallCounter:
    fault: Fault | None = None
    calls: list[str] = field(default_factory=list)
    attempts: int = 0
    is_met: bool = False
    direct: Callable[[str], object] | None = None

    def begin(self, model: Any, **_: Any) -> None:
        """Called when the SDK begins a call."""
        self.calls.append(model.name)
        self.attempts = 0
        fault = self.fault
        is_this = fault is not None and fault.call == model.name and fault.number == self.calls.count(model.name)
        self.is_met = is_this or (self.is_met and fault is not None and fault.kind is CRASH)

    def send(self, request: AWSPreparedRequest, **_: Any) -> None:
        """Called when the SDK sends one attempt of a call."""
        self.attempts += 1
        if self.fault is None or not self.is_met or (self.fault.kind is SDK_RETRY and self.attempts > 1):
            return
        request.headers[HEADER] = PROXY_RULES.get(self.fault.kind, self.fault.kind)


_counter = _CallCounter()


@cache
def _client(service: str, endpoint: str, read_timeout: float) -> Any:
    client: Any = boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint,
        config=Config(
            connect_timeout=5, read_timeout=read_timeout, retries={"mode": "standard", "total_max_attempts": 3}
        ),
    )
    client.meta.events.register("before-call", _counter.begin)
    client.meta.events.register("before-send", _counter.send)
    return client


@contextmanager
def faulty(endpoint: str, fault: Fault | None) -> Iterator[list[str]]:
    """Route calls to AWS through microburst, with the fault on one of them; yields the names of the calls."""

    def soon(_backoff: ExponentialBackoff, context: RetryContext) -> float:
        return 0.01 * context.attempt_number

    ExponentialBackoff.delay_amount = soon  # type: ignore[method-assign,assignment]
    RetryQuota.acquire = lambda *_: True  # type: ignore[method-assign]  # one case must not use up another's retries
    read_timeout = TIMEOUT_SECONDS if fault and fault.kind is TIMEOUT else 30.0
    direct: Callable[[str], object] = aws._client
    _counter.fault, _counter.calls, _counter.is_met, _counter.direct = fault, [], False, direct
    aws._client = lambda service: _client(service, endpoint, read_timeout)  # type: ignore[assignment]
    try:
        yield _counter.calls
    finally:
        aws._client = direct  # type: ignore[assignment]


@contextmanager
def bypassing_the_proxy() -> Iterator[None]:
    """Make calls without faults that are not counted: those of another function while this one waits for it."""
    faulty_client = aws._client
    if _counter.direct:
        aws._client = _counter.direct  # type: ignore[assignment]
    try:
        yield
    finally:
        aws._client = faulty_client
