"""Warm requests: the processor time of each route's handler ÷ that of the calls to AWS and Stripe that it makes.

Each route runs once on moto, and its calls and their answers are recorded on a tape. Then the handler runs repeatedly
on the tape, in alternation with the same calls alone, made by an unmodified botocore client and Stripe's SDK. Both
serialize, sign and parse, and neither opens a connection. Passwords are not hashed, since hashing is slow by design.
"""

import importlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl

import stripe
from botocore import xform_name
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from botocore.session import get_session
from moto.core.models import botocore_stubber

from benchmarks.quiet import quiet
from benchmarks.result import Result, spread
from benchmarks.zips import template
from functions.auth import passwords
from functions.payments import stripe_gateway
from shared import aws
from stripe_emulator.account import SECRET_KEY
from tests.support.aws_response import ResponseBody
from tests.support.lambda_events import LambdaContext

ROUNDS = 21
QUICK_ROUNDS = 5
RUNS = 30
TARGET = 1.25
ROUTES = (
    "sign up",
    "sign in",
    "put a ticket on sale",
    "edit a ticket",
    "withdraw a ticket",
    "get a ticket",
    "list tickets on sale",
    "list own tickets",
    "place an order",
    "place an order with a key",
    "order a held ticket",
    "get an order",
    "list orders",
    "cancel an order",
    "start a payment",
    "get a payment",
    "webhook authorised",
)


@dataclass(frozen=True, slots=True)
class AwsCall:
    """A call to AWS and its response."""

    operation: str
    request: dict[str, Any]
    answer: tuple[int, dict[str, str], bytes]


@dataclass(frozen=True, slots=True)
class StripeCall:
    """A call to Stripe and its response."""

    method: str
    url: str
    sent: str
    answer: tuple[str, int, Mapping[str, str]]


@dataclass(slots=True)
class Tape:
    """The calls of one request, for repeated playback."""

    calls: list[AwsCall | StripeCall] = field(default_factory=list)
    position: int = 0

    def next(self) -> Any:
        """The answer to the next call."""
        call = self.calls[self.position % len(self.calls)]
        self.position += 1
        return call.answer


class _StripeRecorder(stripe.HTTPClient):
    """Forwards calls to the local Stripe and records them."""

    name = "recorder"

    def __init__(self, to: stripe.HTTPClient, tape: Tape) -> None:
        super().__init__()
        self._to = to
        self._tape = tape

    def request(self, method: str, url: str, headers: Any, post_data: Any = None, **more: Any) -> Any:
        answer: Any = self._to.request(method, url, headers, post_data, **more)
        self._tape.calls.append(StripeCall(method, url, post_data or "", answer))
        return answer


class _StripePlayer(stripe.HTTPClient):
    name = "player"

    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self._tape = tape

    def request(self, *_: object, **__: object) -> Any:
        return self._tape.next()


def measure(*, quick: bool) -> list[Result]:
    """The ratio of each route, and the duration of its handler."""
    from tests.support import metered_operations, metered_stack  # sets the environment variables

    results = []
    with (
        metered_stack.alone(template()) as make,
        quiet(),
        patch.object(passwords, "hash_password", str),
        patch.object(passwords, "is_password", str.__eq__),
    ):
        for route in ROUTES:
            handle, send = on_tape(make(), metered_operations.OPERATIONS[route])
            ratios = [handle() / send() for _ in range(QUICK_ROUNDS if quick else ROUNDS)]
            results.append(
                Result(
                    what=f"warm request: {route}",
                    figure=statistics.median(ratios),
                    unit="of its raw calls",
                    target=TARGET,
                    spread=spread(ratios),
                )
            )
    return results


def on_tape(stack: Any, operation: Callable[[Any], object]) -> tuple[Callable[[], float], Callable[[], float]]:
    """Record the last request of the operation; returns a timer of its handler, and a timer of its calls alone."""
    tape, request = _taped(stack, operation)
    client = get_session().create_client("dynamodb")
    handler = importlib.import_module(f"functions.{request.function}").handler
    sdk = stripe.StripeClient(SECRET_KEY, http_client=_StripePlayer(tape))
    calls = [_call(call, client, sdk) for call in tape.calls]

    def handle() -> float:
        events = [deepcopy(request.event) for _ in range(RUNS)]
        with _played(tape, aws.dynamodb()):
            began = time.process_time()
            for event in events:
                handler(event, LambdaContext())
            return time.process_time() - began

    def send() -> float:
        with _played(tape, client):
            began = time.process_time()
            for _ in range(RUNS):
                for call in calls:
                    with suppress(ClientError):  # some are expected to be refused
                        call()
            return time.process_time() - began

    return handle, send


def _call(call: AwsCall | StripeCall, client: Any, sdk: stripe.StripeClient) -> Callable[[], object]:
    """Make the call with its SDK alone."""
    match call:
        case AwsCall(operation, request):
            method = getattr(client, xform_name(operation))
            return lambda: method(**request)
        case StripeCall(method, url, sent):
            path, _, query = url.removeprefix(stripe.DEFAULT_API_BASE).partition("?")
            params: Any = dict(parse_qsl(query or sent))
            return lambda: sdk.deserialize(sdk.raw_request(method, path, **params), api_mode="V1")


@dataclass(slots=True)
class Request:
    """The arguments of a function call."""

    function: str = ""
    event: Any = None


def _taped(stack: Any, operation: Callable[[Any], object]) -> tuple[Tape, Request]:
    tape, request, pending = Tape(), Request(), []
    invoke = stack.world.invoke
    is_running = False

    def begin(function: str, event: Any) -> Any:
        nonlocal is_running
        if is_running:  # another function, while the recorded one waits for it
            calls = [*tape.calls]
            answer = invoke(function, event)
            tape.calls[:] = calls
            return answer
        tape.calls.clear()
        request.function, request.event = function, deepcopy(event)
        is_running = True
        try:
            return invoke(function, event)
        finally:
            is_running = False

    def record_call(params: dict[str, Any], model: Any, **_: object) -> None:
        pending.append((model.name, deepcopy(params)))

    def record_response(response_dict: dict[str, Any], **_: object) -> None:
        operation, params = pending.pop()
        answer = response_dict["status_code"], dict(response_dict["headers"]), response_dict["body"]
        tape.calls.append(AwsCall(operation, params, answer))

    events = aws.dynamodb().meta.events
    events.register("before-parameter-build", record_call)
    events.register("response-received", record_response)
    recorder = _StripeRecorder(stripe_gateway.http_client(stripe_gateway.TIMEOUT_SECONDS), tape)
    try:
        with (
            patch.object(stack.world, "invoke", begin),
            patch.object(stripe_gateway, "http_client", lambda _: recorder),
        ):
            operation(stack)
    finally:
        events.unregister("before-parameter-build", record_call)
        events.unregister("response-received", record_response)
    return tape, request


@contextmanager
def _played(tape: Tape, client: Any) -> Iterator[None]:
    """Answer every call from the tape, and rewind the tape at the end."""
    events = client.meta.events
    player = _StripePlayer(tape)

    def answer(request: Any, **_: object) -> AWSResponse:
        status, headers, body = tape.next()
        return AWSResponse(request.url, status, HTTPHeaders.from_dict(headers), ResponseBody(body))

    events.register_first("before-send", answer)
    try:
        with (
            patch.object(stripe_gateway, "http_client", lambda _: player),
            patch.object(botocore_stubber, "enabled", new=False),  # all hooks run, so moto would work without need
        ):
            yield
    finally:
        events.unregister("before-send", answer)
    if tape.position != RUNS * len(tape.calls):
        raise RuntimeError(f"{tape.position} calls in {RUNS} runs of {len(tape.calls)}")
    tape.position = 0
