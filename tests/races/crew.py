"""The processes of a race: each runs the real handlers, and all start at the same instant.

    python -m tests.races        reads races from standard input, writes their outcomes to standard output, as pickles

It imports every handler once. For each race it forks one process for each runner, so they cost milliseconds, share
nothing and know nothing of earlier races; a gate holds them until the last is there.
"""

import gc
import importlib
import io
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

FUNCTIONS = (
    *("auth.api", "tickets.api", "tickets.listener", "orders.api", "orders.listener", "orders.sweep"),
    *("payments.api", "payments.listener", "payments.webhook", "payments.reconciler"),
    *("auth.authorizer", "expiration.listener", "expiration.expire"),
)
WITH_TABLE = ("auth", "tickets", "orders", "payments")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function (`orders.api`); with `at`, its clock shows that instant when it begins, and runs on."""

    function: str
    event: dict[str, Any]
    at: datetime | None = None

    def run(self, environment: Mapping[str, str]) -> "Outcome":
        """Call it, in this process."""
        return run_call(self, environment)


@dataclass(frozen=True, slots=True)
class Courier:
    """Carries the events by which Tickets and Orders agree on sellers' changes, as relays, bus and queues would.

    It reads the two tables' streams, and is done once nothing has come for some time.
    """

    quiet_seconds: float = 1.5

    def run(self, environment: Mapping[str, str]) -> int:
        """Carry them; how many were delivered."""
        from tests.handlers.world import CHANGES, envelope, sqs_batch

        streams = {
            "orders": _records(environment["TICKETS_TABLE"]),
            "tickets": _records(environment["ORDERS_TABLE"]),
        }
        delivered, until = 0, time.monotonic() + self.quiet_seconds
        while time.monotonic() < until:
            for to, records in streams.items():
                for record in next(records):
                    event = _new_event(record)
                    if event and event["type"]["S"] in CHANGES:
                        message = sqs_batch(envelope(event["type"]["S"], json.loads(event["detail"]["S"])))
                        _deliver(Call(f"{to}.listener", message), environment)
                        delivered, until = delivered + 1, time.monotonic() + self.quiet_seconds
            time.sleep(0.02)
        return delivered


def _records(table: str) -> Iterator[list[dict[str, Any]]]:
    """The new records of a table's stream, each time that they are asked for."""
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
    """The event that a record tells of, as the relay sees it."""
    new, old = (record["dynamodb"].get(image, {}).get("event", {}).get("M") for image in ("NewImage", "OldImage"))
    return new if new and (not old or new["id"] != old["id"]) else None


def _deliver(call: Call, environment: Mapping[str, str]) -> None:
    """Until it is taken, as a queue does."""
    while True:
        outcome = run_call(call, environment)
        if outcome.crash is None and outcome.is_taken:
            return


class Job(Protocol):
    """What a runner can be given to do."""

    def run(self, environment: Mapping[str, str]) -> Any:
        """Do it, in the runner's process; what it returns goes back to the test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How often DynamoDB does what the local one never does: the probability for each call that reaches it.

    `lost` calls are carried out and their answers dropped; of the others nothing is carried out.
    """

    seed: int = 0
    conflict: float = 0.0
    throttle: float = 0.0
    broken: float = 0.0
    lost: float = 0.0


FAIR = Weather()


@dataclass(frozen=True, slots=True)
class Race:
    """What each runner does, one call after the other; `environment` is every function's, TABLE_NAME beside it."""

    environment: Mapping[str, str]
    runners: Sequence[Sequence[Job]]
    weather: Weather = FAIR


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call answered, or how it crashed."""

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
        """The problem's code, or nothing."""
        return str(self.json["code"]) if self.status >= 400 else ""

    @property
    def is_taken(self) -> bool:
        """Whether a listener took its whole batch."""
        assert self.crash is None, self.crash
        return not self.answer["batchItemFailures"]


class Context:
    """As much of Lambda's context as anyone reads."""

    function_name = "race"
    memory_limit_in_mb = 128
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:race"
    aws_request_id = "race"


def main() -> None:
    """Run races until standard input ends."""
    from shared import aws

    races, outcomes = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # handlers log to standard output
    for function in FUNCTIONS:
        importlib.import_module(f"functions.{function}")
    aws._client = cache(_patient_client)
    aws.dynamodb()
    gc.freeze()
    while True:
        try:
            race: Race = pickle.load(races)  # noqa: S301  # from the tests that started us
        except EOFError:
            return
        pickle.dump(_run(race), outcomes)
        outcomes.flush()


def _patient_client(service: str) -> object:
    """As `shared.aws` makes it, but the many of us may keep the local AWS busy longer than AWS ever is."""
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
                os.read(gate, 1)  # nothing comes, and that only when the last of the others has closed it
                with os.fdopen(writer, "wb") as results:
                    pickle.dump(_runner(race, jobs, number), results)
            except BaseException:  # nothing of the parent's may run in here
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
    os.environ.update(race.environment)
    if race.weather != FAIR:
        _spoil(race.weather, number)
    return [job.run(race.environment) for job in jobs]


def run_call(call: Call, environment: Mapping[str, str]) -> Outcome:
    """Call a function on its table, with its clock."""
    from shared import clock

    service = call.function.partition(".")[0]
    if service in WITH_TABLE:
        os.environ["TABLE_NAME"] = environment[f"{service.upper()}_TABLE"]
    ahead = clock.to_millis(call.at) - time.time_ns() // 1_000_000 if call.at else 0
    clock.now = lambda: clock.from_millis(time.time_ns() // 1_000_000 + ahead)
    try:
        module = importlib.import_module("shared.relay" if service == "relay" else f"functions.{call.function}")
        return Outcome(module.handler(call.event, Context()))
    except Exception:  # a handler that crashes is an outcome
        return Outcome(None, traceback.format_exc())


def _spoil(weather: Weather, number: int) -> None:
    """Put the weather between the SDK and DynamoDB; the SDK's own waits are cut short."""
    from botocore.retries.standard import ExponentialBackoff, RetryContext

    from shared import aws

    def soon(_backoff: ExponentialBackoff, context: RetryContext) -> float:
        return 0.01 * context.attempt_number

    ExponentialBackoff.delay_amount = soon  # type: ignore[method-assign,assignment]
    endpoint = aws.dynamodb()._endpoint  # type: ignore[attr-defined]
    endpoint.http_session = _Sky(endpoint.http_session, weather, random.Random(f"{weather.seed}/{number}"))  # noqa: S311


class _Sky:
    """Stands for the SDK's HTTP connections."""

    def __init__(self, session: Any, weather: Weather, dice: random.Random) -> None:
        self._session = session
        self._weather = weather
        self._dice = dice

    def send(self, request: AWSPreparedRequest) -> Any:
        weather, roll = self._weather, self._dice.random()
        for probability, act in (
            (weather.conflict, self._conflict),
            (weather.throttle, self._throttle),
            (weather.broken, self._break),
            (weather.lost, self._lose),
        ):
            if roll < probability:
                return act(request)
            roll -= probability
        return self._session.send(request)

    def close(self) -> None:
        self._session.close()

    def _conflict(self, request: AWSPreparedRequest) -> Any:
        match _operation(request):
            case "TransactWriteItems":
                return self._cancelled(request, "TransactionConflict")
            case "PutItem" | "UpdateItem" | "DeleteItem":
                return _refusal(request, 400, "TransactionConflictException")
            case _:
                return self._session.send(request)  # reads meet no conflicts

    def _throttle(self, request: AWSPreparedRequest) -> Any:
        if _operation(request) == "TransactWriteItems" and self._dice.random() < 0.5:
            return self._cancelled(request, "ThrottlingError")
        codes = ("ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded")
        return _refusal(request, 400, self._dice.choice(codes))

    def _break(self, request: AWSPreparedRequest) -> Any:
        if self._dice.random() < 0.5:
            raise ConnectionClosedError(endpoint_url=request.url)
        return _refusal(request, 500, "InternalServerError")

    def _lose(self, request: AWSPreparedRequest) -> Any:
        self._session.send(request)
        raise ReadTimeoutError(endpoint_url=request.url)

    def _cancelled(self, request: AWSPreparedRequest, code: str) -> Any:
        count = len(json.loads(cast("bytes", request.body))["TransactItems"])
        unlucky = self._dice.randrange(count)
        reasons = [{"Code": code if number == unlucky else "None"} for number in range(count)]
        return _refusal(request, 400, "TransactionCanceledException", CancellationReasons=reasons)


def _operation(request: AWSPreparedRequest) -> str:
    target = request.headers["X-Amz-Target"]
    text: str = target.decode() if isinstance(target, bytes) else target
    return text.rpartition(".")[2]


def _refusal(request: AWSPreparedRequest, status: int, code: str, **members: object) -> AWSResponse:
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": code, **members}).encode()
    headers = HTTPHeaders.from_dict({"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": "injected"})
    return AWSResponse(request.url, status, headers, _Body(body))


class _Body(io.BytesIO):
    def stream(self, *_: object, **__: object) -> Any:
        yield self.read()
