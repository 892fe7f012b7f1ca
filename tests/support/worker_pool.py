"""The processes of a race: each runs the real handlers, and all start at the same instant.

`main` reads races from standard input and writes outcomes to standard output, pickled.

The pool imports every handler once. For each race it forks one process per runner, which costs milliseconds and shares
no state with other runners or races; a gate holds the processes until the last is ready.
"""

import gc
import importlib
import json
import os
import pickle
import random
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import IO, Any, Protocol, cast

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from tests.support.aws_response import ResponseBody
from tests.support.faults import FaultKind
from tests.support.functions import NAMES, in_process
from tests.support.lambda_events import CHANGE_EVENTS, WITH_TABLE, LambdaContext, envelope, sqs_batch

FUNCTIONS = (
    *("auth.api", "tickets.api", "tickets.listener", "orders.api", "orders.listener", "orders.sweep", "orders.expirer"),
    *("payments.api", "payments.listener", "payments.webhook", "payments.reconciler", "payments.settler"),
    *("payments.payouts_api", "payments.payouts_webhook", "payments.payout_finder", "payments.payout_worker"),
    *("auth.authorizer", "auth.mail_sender", "auth.feedback", "expiration.listener", "expiration.expire"),
    *("auth.eraser", "tickets.personal_data", "orders.personal_data", "payments.personal_data"),
)


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation of a function (`orders.api`); with `at`, its clock starts at that instant and runs on."""

    function: str
    event: dict[str, Any]
    at: datetime | None = None

    def run(self, environment: Mapping[str, str]) -> "Outcome":
        """Make the call in this process."""
        return run_call(self, environment)


@dataclass(frozen=True, slots=True)
class Courier:
    """Delivers the events by which Tickets and Orders agree on sellers' changes, like relays, bus and queues.

    It reads the two tables' streams, and ends once nothing has arrived for some time.
    """

    quiet_seconds: float = 1.5

    def run(self, environment: Mapping[str, str]) -> int:
        """Deliver the events and return their number."""

        streams = {
            "orders": _records(environment["TICKETS_TABLE"]),
            "tickets": _records(environment["ORDERS_TABLE"]),
        }
        delivered, until = 0, time.monotonic() + self.quiet_seconds
        while time.monotonic() < until:
            for to, records in streams.items():
                for record in next(records):
                    event = _new_event(record)
                    if event and event["type"]["S"] in CHANGE_EVENTS:
                        message = sqs_batch(envelope(event["type"]["S"], json.loads(event["detail"]["S"])))
                        _deliver(Invocation(f"{to}.listener", message), environment)
                        delivered, until = delivered + 1, time.monotonic() + self.quiet_seconds
            time.sleep(0.02)
        return delivered


def _records(table: str) -> Iterator[list[dict[str, Any]]]:
    """The new records of a table's stream since the last read."""
    tables: Any = boto3.client("dynamodb")
    streams: Any = boto3.client("dynamodbstreams")
    arn = tables.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    [shard] = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    following = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    while True:
        page = streams.get_records(ShardIterator=following)
        following = page["NextShardIterator"]
        yield page["Records"]


def _new_event(record: Mapping[str, Any]) -> Any:
    """The event of a record, as the relay sees it."""
    new, old = (record["dynamodb"].get(image, {}).get("event", {}).get("M") for image in ("NewImage", "OldImage"))
    return new if new and (not old or new["id"] != old["id"]) else None


def _deliver(call: Invocation, environment: Mapping[str, str]) -> None:
    """Deliver until it is accepted, as a queue does."""
    while True:
        outcome = run_call(call, environment)
        if outcome.crash is None and outcome.is_taken:
            return


class Job(Protocol):
    """A job for a runner."""

    def run(self, environment: Mapping[str, str]) -> Any:
        """Run in the runner's process; the result is returned to the test."""


@dataclass(frozen=True, slots=True)
class FaultProfile:
    """Faults that the local DynamoDB does not produce: the probability of each kind, for each call."""

    rates: Mapping[FaultKind, float]
    seed: int = 0


NO_FAULTS = FaultProfile({})


@dataclass(frozen=True, slots=True)
class Race:
    """The jobs of each runner, executed in order; `environment` applies to every function, plus its TABLE_NAME."""

    environment: Mapping[str, str]
    runners: Sequence[Sequence[Job]]
    fault_profile: FaultProfile = NO_FAULTS


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer of a call, or its traceback."""

    answer: Any
    crash: str | None = None

    @property
    def status(self) -> int:
        assert self.crash is None, self.crash
        return int(self.answer["statusCode"])

    @property
    def json(self) -> Any:
        return json.loads(self.answer["body"])

    @property
    def code(self) -> str:
        """The problem's code, or empty."""
        return str(self.json["code"]) if self.status >= 400 else ""

    @property
    def is_taken(self) -> bool:
        """Whether a listener accepted its whole batch."""
        assert self.crash is None, self.crash
        return not self.answer["batchItemFailures"]


def main() -> None:
    """Run races until standard input ends."""
    from shared import aws

    races, outcomes = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # handlers log to standard output
    for function in FUNCTIONS:
        importlib.import_module(f"functions.{function}")
    aws._client = cache(_client_with_long_timeouts)
    aws.dynamodb()
    gc.freeze()
    while True:
        try:
            race: Race = pickle.load(races)  # noqa: S301  # from the tests that started us
        except EOFError:
            return
        pickle.dump(_run(race), outcomes)
        outcomes.flush()


def _client_with_long_timeouts(service: str) -> object:
    """A client as in `shared.aws`, but with a longer timeout: the worker pool loads the local AWS heavily."""
    return boto3.client(  # type: ignore[call-overload]
        service, config=Config(read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3})
    )


def _run(race: Race) -> list[list[Any]]:
    gate, opener = os.pipe()
    children: list[tuple[int, IO[bytes]]] = []
    for number, jobs in enumerate(race.runners):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(opener)
                os.close(reader)
                os.read(gate, 1)  # returns only when the last other process has closed the gate
                with os.fdopen(writer, "wb") as results:
                    pickle.dump(_runner(race, jobs, number), results)
            except BaseException:  # the parent's code must not continue in this process
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        os.close(writer)
        children.append((child, os.fdopen(reader, "rb")))
    os.close(gate)
    os.close(opener)
    outcomes: list[list[Any]] = []
    for child, pipe in children:
        with pipe:
            pickled = pipe.read()
        _, status = os.waitpid(child, 0)
        crash = [Outcome(None, f"the process ended with status {status}")]
        outcomes.append(pickle.loads(pickled) if status == 0 else crash)  # noqa: S301  # from our own child
    return outcomes


def _runner(race: Race, jobs: Sequence[Job], number: int) -> list[Any]:
    from shared import aws

    os.environ.update({**race.environment, **NAMES})
    setattr(aws, "functions", lambda: in_process(race.environment))  # noqa: B010  # mypy refuses an assignment
    if race.fault_profile != NO_FAULTS:
        _inject_faults(race.fault_profile, number)
    return [job.run(race.environment) for job in jobs]


def run_call(call: Invocation, environment: Mapping[str, str]) -> Outcome:
    """Call a function on its table, with its clock."""
    from shared import clock

    service = call.function.partition(".")[0]
    if service in WITH_TABLE:
        os.environ["TABLE_NAME"] = environment[f"{service.upper()}_TABLE"]
    ahead = clock.to_millis(call.at) - time.time_ns() // 1_000_000 if call.at else 0
    clock.now = lambda: clock.from_millis(time.time_ns() // 1_000_000 + ahead)
    try:
        function = "relay.relay" if service == "relay" else call.function
        module = importlib.import_module(f"functions.{function}")
        return Outcome(module.handler(call.event, LambdaContext()))
    except Exception:  # an exception of a handler is an outcome
        return Outcome(None, traceback.format_exc())


def _inject_faults(fault_profile: FaultProfile, number: int) -> None:
    """Put the faults between the SDK and DynamoDB, and shorten the SDK's own waits."""
    from botocore.retries.standard import ExponentialBackoff, RetryContext

    from shared import aws

    def soon(_backoff: ExponentialBackoff, context: RetryContext) -> float:
        return 0.01 * context.attempt_number

    ExponentialBackoff.delay_amount = soon  # type: ignore[method-assign,assignment]
    endpoint = aws.dynamodb()._endpoint  # type: ignore[attr-defined]
    source = random.Random(f"{fault_profile.seed}/{number}")  # noqa: S311  # for tests
    endpoint.http_session = _FaultInjector(endpoint.http_session, fault_profile, source)


class _FaultInjector:
    """Replaces the SDK's HTTP connections."""

    def __init__(self, session: Any, fault_profile: FaultProfile, source: random.Random) -> None:
        self._session = session
        self._rates = fault_profile.rates
        self._random = source

    def send(self, request: AWSPreparedRequest) -> Any:
        roll = self._random.random()
        for kind, rate in self._rates.items():
            if roll < rate:
                return self._inject(kind, request)
            roll -= rate
        return self._session.send(request)

    def _inject(self, kind: FaultKind, request: AWSPreparedRequest) -> Any:
        match kind:
            case FaultKind.CONFLICT:
                return self._conflict(request)
            case FaultKind.THROTTLE:
                return self._throttle(request)
            case FaultKind.SERVER_ERROR:
                return _refusal(request, 500, "InternalServerError")
            case FaultKind.UNREACHABLE:
                raise ConnectionClosedError(endpoint_url=request.url)
            case FaultKind.RESPONSE_LOST:
                self._session.send(request)
                raise ReadTimeoutError(endpoint_url=request.url)
            case _:
                raise ValueError(f"the concurrency tests cannot inject {kind}")

    def close(self) -> None:
        self._session.close()

    def _conflict(self, request: AWSPreparedRequest) -> Any:
        match _operation(request):
            case "TransactWriteItems":
                return self._cancelled(request, "TransactionConflict")
            case "PutItem" | "UpdateItem" | "DeleteItem":
                return _refusal(request, 400, "TransactionConflictException")
            case _:
                return self._session.send(request)  # reads have no conflicts

    def _throttle(self, request: AWSPreparedRequest) -> Any:
        if _operation(request) == "TransactWriteItems" and self._random.random() < 0.5:
            return self._cancelled(request, "ThrottlingError")
        codes = ("ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded")
        return _refusal(request, 400, self._random.choice(codes))

    def _cancelled(self, request: AWSPreparedRequest, code: str) -> Any:
        count = len(json.loads(cast("bytes", request.body))["TransactItems"])
        cause = self._random.randrange(count)
        reasons = [{"Code": code if number == cause else "None"} for number in range(count)]
        return _refusal(request, 400, "TransactionCanceledException", CancellationReasons=reasons)


def _operation(request: AWSPreparedRequest) -> str:
    target = request.headers["X-Amz-Target"]
    text: str = target.decode() if isinstance(target, bytes) else target
    return text.rpartition(".")[2]


def _refusal(request: AWSPreparedRequest, status: int, code: str, **members: object) -> AWSResponse:
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": code, **members}).encode()
    headers = HTTPHeaders.from_dict({"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": "injected"})
    return AWSResponse(request.url, status, headers, ResponseBody(body))
