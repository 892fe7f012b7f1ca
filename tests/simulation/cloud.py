"""The AWS services that Admit One uses, in one process on a virtual clock.

Functions, routes, rules, queues, streams and schedules are read from the synthesized CDK template, so that a wrong
event pattern or a missing subscription is found. The run chooses what happens next: here, messages only wait.
"""

import importlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import BaseRouter
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from shared import settings
from shared.admission import EDGE_HEADER
from tests.simulation.choices import Choices
from tests.simulation.database import Database, TransactionCanceled
from tests.simulation.faults import ProcessDied, Profile
from tests.simulation.patterns import matches
from tests.support.fake_clock import FakeClock
from tests.support.faults import CRASH, RESPONSE_LOST, SDK_RETRY, UNREACHABLE
from tests.support.lambda_events import LambdaContext

MAX_NESTING = 1  # nesting depth of functions that run within another function
INTERLEAVED_SLEEP = 0.25  # probability that others run while a function sleeps
AUTHORIZER_RESULT_TTL = timedelta(seconds=30)
LINK = re.compile(r"https://[^/]+(?P<page>/[^#\s]+)(#(?P<token>[\w.-]+))?", re.ASCII)
"""The link in the text of a mail."""
EDGE_PROOF = "the proof of the edge"
HOLD_SECONDS = 60
"""How long a seller's earnings are held, in place of seven days."""
FEE_PERCENT = "55.555"
"""More than half of the price, so that Stripe itself would allow a second transfer; and an amount to be rounded."""

type Resources = Mapping[str, Mapping[str, Any]]


@dataclass
class Queue:
    """A queue with its dead-letter queue and consumer."""

    consumer: str
    visibility: timedelta
    receives: int
    messages: "list[Message]" = field(default_factory=list)
    dead: "list[Message]" = field(default_factory=list)


@dataclass(eq=False)
class Message:
    """One event in one queue."""

    body: dict[str, Any]
    visible_at: datetime
    received: int = 0


@dataclass(frozen=True)
class SentMail:
    """A mail that SES has accepted; `kind` is its class in `functions.auth.mails.kinds`, and `page` its link's path."""

    to: str
    kind: str
    page: str
    token: str | None


@dataclass
class PendingTimer:
    """A one-time schedule."""

    due: datetime
    function: str
    payload: dict[str, Any]


@dataclass(frozen=True)
class GatewayRoute:
    """The function of a route, and its authorizer; None for a public route."""

    function: str
    authorizer: str | None


@dataclass(frozen=True)
class KnownCaller:
    """The authorizer's cached result for a token, and when API Gateway's cache entry expires."""

    context: dict[str, str]
    until: datetime


@dataclass
class RecurringInvocation:
    """A function that runs on a schedule."""

    function: str
    every: timedelta
    due: datetime


@dataclass
class Network:
    """The network between a function and the services it calls, with the current faults."""

    choices: Choices
    profile: Profile
    transcript: list[str] = field(default_factory=list)
    faults: int = 0
    waits: int = 0
    """How often others ran while a function slept."""
    interleave: Callable[[str], None] = lambda _what: None
    depth: int = 0
    called: str = ""
    """The last call."""
    down: frozenset[str] = frozenset()
    """The operations of the service that is down."""
    failed_for_buyer: datetime | None = None
    """When Stripe last failed while a buyer waited."""

    def pass_through(self, what: str, call: Any, *, refusal: Exception, again: Any = None, acts: bool = False) -> Any:
        """Make the call, or fail in one of the ways of the profile; `again` is the effect of the SDK's retry.

        `acts` marks a write based on earlier reads: others may run before it, because only there can they cause a race.
        """
        faults, chance = self.profile, self.choices.chance
        self.called = what
        if acts and self.depth < MAX_NESTING and chance(faults.interleaved):
            self.note(f"before {what}, meanwhile:")
            self._meanwhile(what)
        if chance(faults.crash):
            self.note(f"{CRASH} before {what}")
            raise ProcessDied(what)
        if chance(faults.refused) or what.partition(" ")[0] in self.down:
            self.note(f"{what} refused")
            raise refusal
        if chance(faults.unreachable):
            self.note(f"{UNREACHABLE}: {what}")
            raise EndpointConnectionError(endpoint_url=what)
        answer = call()
        if chance(faults.sdk_retry):
            self.note(f"{SDK_RETRY}: {what}")
            answer = (again or call)()
        if chance(faults.response_lost):
            self.note(f"{RESPONSE_LOST}: {what}")
            raise ReadTimeoutError(endpoint_url=what)
        if chance(faults.crash):
            self.note(f"{CRASH} after {what}")
            raise ProcessDied(what)
        return answer

    def skew(self) -> timedelta:
        """Draw the error of a function's clock."""
        most = self.profile.skew
        return timedelta(seconds=self.choices.pick((0, most, -most))) if most else timedelta()

    def pass_time(self) -> None:
        """Called when a function sleeps: others may run meanwhile, without a fault."""
        if self.depth < MAX_NESTING and self.choices.chance(INTERLEAVED_SLEEP):
            self.waits += 1
            self.transcript.append(f"        while it waits for {self.called}:")
            self._meanwhile(self.called)

    def _meanwhile(self, what: str) -> None:
        self.depth += 1
        self.interleave(what)
        self.depth -= 1

    def note(self, what: str) -> None:
        """Record that a fault has happened."""
        self.faults += 1
        self.transcript.append(f"        {what}")


class Cloud:
    """The deployed stack."""

    def __init__(self, template: Mapping[str, Any], *, clock: FakeClock, network: Network) -> None:
        resources: Resources = template["Resources"]
        self.clock = clock
        self.network = network
        self.holds_per_buyer = 10
        self.email_verification = "optional"
        self.mails: list[SentMail] = []
        self.database = Database({name: _properties(resources, name) for name in _names(resources, "DynamoDB::Table")})
        self._functions = {name: _properties(resources, name) for name in _names(resources, "Lambda::Function")}
        self.queues: dict[str, Queue] = {}
        self.relays: dict[str, str] = {}
        self._read_mappings(resources)
        self._rules = [_properties(resources, name) for name in _names(resources, "Events::Rule")]
        self._routes = self._read_routes(resources)
        self.recurring = [
            RecurringInvocation(
                function=_reference(schedule["Target"]["Arn"]),
                every=_rate(schedule["ScheduleExpression"]),
                due=clock.now() + _rate(schedule["ScheduleExpression"]),
            )
            for schedule in (_properties(resources, name) for name in _names(resources, "Scheduler::Schedule"))
        ]
        self.timers: dict[str, PendingTimer] = {}
        self.unpublished: list[str] = []
        self.secrets: dict[str, list[str]] = {name: [] for name in _names(resources, "SecretsManager::Secret")}
        self._known_callers: dict[str, KnownCaller] = {}

    def table(self, service: str) -> str:
        """The name of a service's table."""
        (name,) = (name for name in self.database.tables if name.startswith(service.title()))
        return name

    def put_secret(self, named: str, text: str) -> None:
        """Make a new version of the secret whose logical id starts with `named`."""
        (versions,) = (versions for name, versions in self.secrets.items() if name.startswith(named))
        versions.append(text)

    def http(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """Call a route; None if the caller gets no answer or API Gateway's own 500."""
        route = self._routes[event["routeKey"]]
        event["headers"][EDGE_HEADER] = EDGE_PROOF
        try:
            if route.authorizer:
                if "authorization" not in event["headers"]:
                    return {"statusCode": 401, "headers": {}, "body": '{"message":"Unauthorized"}'}
                event["requestContext"]["authorizer"] = {"lambda": self._caller(route.authorizer, event["headers"])}
            answer: dict[str, Any] = self.invoke(route.function, event)
        except (Exception, ProcessDied):
            return None
        return answer

    def _caller(self, authorizer: str, headers: Mapping[str, str]) -> dict[str, str]:
        """The authorizer's result for a token, cached for as long as API Gateway caches it."""
        token, now = headers["authorization"], self.clock.now()
        known = self._known_callers.get(token)
        if known is None or now >= known.until:
            answer = self.invoke(authorizer, {"headers": headers})
            assert answer["isAuthorized"]
            known = self._known_callers[token] = KnownCaller(answer["context"], now + AUTHORIZER_RESULT_TTL)
        return known.context

    def invoke(self, function: str, event: Any) -> Any:
        """Run a function's real handler with its environment variables from the template."""
        properties = self._functions[function]
        variables = properties.get("Environment", {}).get("Variables", {})
        module_name, _, name = properties["Handler"].rpartition(".")
        module = importlib.import_module(module_name)
        if "EDGE_PROOF" in variables:
            variables = variables | {"EDGE_PROOF": EDGE_PROOF}
        if "EMAIL_VERIFICATION" in variables:
            variables = variables | {"EMAIL_VERIFICATION": self.email_verification}
        if "PUBLIC_ORIGIN" in variables:
            variables = variables | {"PUBLIC_ORIGIN": "https://tickets.example.com"}
        if "PAYOUT_HOLD_SECONDS" in variables:
            variables = variables | {"PAYOUT_HOLD_SECONDS": str(HOLD_SECONDS)}
        if "FEE_PERCENT" in variables:
            variables = variables | {"FEE_PERCENT": FEE_PERCENT}
        if "HOLDS_PER_BUYER" in variables:
            variables = variables | {"HOLDS_PER_BUYER": self.holds_per_buyer}
        environment = {name: _reference(value) for name, value in variables.items()}
        with _process_of_its_own(module, environment), self.clock.skewed(self.network.skew()):
            return getattr(module, name)(event, LambdaContext())

    def call_function(self, *, FunctionName: str, Payload: bytes) -> Any:
        """Lambda's `Invoke`: a function that fails or dies is an answer with `FunctionError`."""

        def call() -> dict[str, Any]:
            try:
                answer, failed = self.invoke(FunctionName, json.loads(Payload)), {}
            except (Exception, ProcessDied) as error:
                answer, failed = {"errorType": type(error).__name__}, {"FunctionError": "Unhandled"}
            return {"Payload": BytesIO(json.dumps(answer).encode()), **failed}

        return self.network.pass_through(
            f"invoke {FunctionName[:20]}", call, refusal=_client_error("TooManyRequestsException", "Invoke"), acts=True
        )

    # The calls of functions. Each method has the name and the arguments of boto3's.

    def get_item(self, **request: Any) -> Any:
        if not request["ConsistentRead"] and self.network.choices.chance(self.network.profile.stale_read):
            self.network.note("stale read")
            return self.database.stale(request)
        return self._dynamodb("get_item", request)

    def batch_get_item(self, **request: Any) -> Any:
        return self._dynamodb("batch_get_item", request)

    def query(self, **request: Any) -> Any:
        return self._dynamodb("query", request)

    def put_item(self, **request: Any) -> Any:
        return self._dynamodb("put_item", request)

    def update_item(self, **request: Any) -> Any:
        return self._dynamodb("update_item", request)

    def delete_item(self, **request: Any) -> Any:
        return self._dynamodb("delete_item", request)

    def transact_write_items(self, **request: Any) -> Any:
        reasons: Any = [{"Code": "TransactionConflict"}, *({"Code": "None"} for _ in request["TransactItems"][1:])]
        conflict = TransactionCanceled(
            {"Error": {"Code": "TransactionCanceledException", "Message": ""}, "CancellationReasons": reasons},
            "TransactWriteItems",
        )
        # The SDK's retry carries the same client token, so DynamoDB answers it with success.
        return self._dynamodb("transact_write_items", request, refusal=conflict, again=dict)

    @property
    def exceptions(self) -> Any:
        return Exceptions

    def _dynamodb(self, operation: str, request: Any, *, refusal: Exception | None = None, again: Any = None) -> Any:
        return self.network.pass_through(
            f"{operation} {_keys(request)}",
            lambda: self.database.call(operation, request),
            refusal=refusal or _client_error("ThrottlingException", operation),
            again=again,
            acts=operation not in ("get_item", "batch_get_item", "query"),
        )

    def put_events(self, *, Entries: list[dict[str, Any]]) -> Any:
        def put() -> Any:
            answers: list[dict[str, str]] = []
            for entry in Entries:
                if self.network.choices.chance(self.network.profile.refused):
                    self.network.note("put_events refused one entry")
                    answers.append({"ErrorCode": "InternalFailure"})
                    continue
                self._route_event(entry)
                answers.append({"EventId": "event"})
            return {"Entries": answers}

        return self.network.pass_through("put_events", put, refusal=_client_error("InternalFailure", "PutEvents"))

    def create_schedule(self, **request: Any) -> Any:
        def create() -> None:
            if request["Name"] in self.timers:
                raise ScheduleExists({"Error": {"Code": "ConflictException", "Message": "exists"}}, "CreateSchedule")
            due = datetime.fromisoformat(request["ScheduleExpression"][3:-1] + "+00:00")
            target = request["Target"]
            self.timers[request["Name"]] = PendingTimer(due, target["Arn"], json.loads(target["Input"]))

        return self.network.pass_through(
            f"create_schedule {request['Name']}", create, refusal=_client_error("ThrottlingException", "CreateSchedule")
        )

    def delete_schedule(self, *, Name: str, GroupName: str) -> Any:
        def delete() -> None:
            if self.timers.pop(Name, None) is None:
                raise ResourceMissing({"Error": {"Code": "ResourceNotFoundException", "Message": ""}}, "DeleteSchedule")

        return self.network.pass_through(
            f"delete_schedule {Name}", delete, refusal=_client_error("ThrottlingException", "DeleteSchedule")
        )

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> Any:
        def send() -> dict[str, list[Any]]:
            now = self.clock.now()
            self.queues[QueueUrl].messages += [Message(json.loads(each["MessageBody"]), now) for each in Entries]
            return {"Successful": [], "Failed": []}

        return self.network.pass_through(
            "send_message_batch", send, refusal=_client_error("ThrottlingException", "SendMessageBatch")
        )

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> Any:
        assert AttributeNames == ["ApproximateNumberOfMessages"]
        waiting = sum(message.visible_at <= self.clock.now() for message in self.queues[QueueUrl].messages)
        return {"Attributes": {"ApproximateNumberOfMessages": str(waiting)}}

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> Any:
        def send() -> None:
            if QueueUrl in self.queues:
                self.queues[QueueUrl].messages.append(Message(json.loads(MessageBody), self.clock.now()))
            else:
                self.unpublished.append(MessageBody)

        return self.network.pass_through(
            "send_message", send, refusal=_client_error("ThrottlingException", "SendMessage")
        )

    def send_email(self, **request: Any) -> Any:
        def send() -> dict[str, str]:
            [to] = request["Destination"]["ToAddresses"]
            link = LINK.search(request["Content"]["Simple"]["Body"]["Text"]["Data"])
            assert link, "every mail has a link"
            self.mails.append(SentMail(to, request["EmailTags"][0]["Value"], link["page"], link["token"]))
            return {"MessageId": str(len(self.mails))}

        return self.network.pass_through(
            "send_email", send, refusal=_client_error("TooManyRequestsException", "SendEmail")
        )

    def get_secret_value(self, *, SecretId: str, VersionStage: str = "AWSCURRENT") -> Any:
        def read() -> dict[str, str]:
            number = len(self.secrets[SecretId]) - (VersionStage == "AWSPREVIOUS")
            if not number:
                raise ResourceMissing({"Error": {"Code": "ResourceNotFoundException", "Message": ""}}, "GetSecretValue")
            return {"VersionId": f"version-{number}", "SecretString": self.secrets[SecretId][number - 1]}

        return self.network.pass_through(
            f"get_secret_value {SecretId}", read, refusal=_client_error("ThrottlingException", "GetSecretValue")
        )

    def _route_event(self, entry: Mapping[str, Any]) -> None:
        event = {"source": entry["Source"], "detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])}
        for rule in self._rules:
            if matches(rule["EventPattern"], event):
                for target in rule["Targets"]:
                    self.queues[_reference(target["Arn"])].messages.append(Message(event, self.clock.instant))

    def _read_mappings(self, resources: Resources) -> None:
        for name in _names(resources, "Lambda::EventSourceMapping"):
            mapping = _properties(resources, name)
            source, function = _reference(mapping["EventSourceArn"]), _reference(mapping["FunctionName"])
            if source in self.database.streams:
                self.relays[source] = function
                self.database.filters[source] = [
                    json.loads(each["Pattern"]) for each in mapping["FilterCriteria"]["Filters"]
                ]
                continue
            queue = _properties(resources, source)
            self.queues[source] = Queue(
                consumer=function,
                visibility=timedelta(seconds=queue["VisibilityTimeout"]),
                receives=queue["RedrivePolicy"]["maxReceiveCount"],
            )

    @staticmethod
    def _read_routes(resources: Resources) -> "dict[str, GatewayRoute]":
        routes = {}
        for name in _names(resources, "ApiGatewayV2::Route"):
            route = _properties(resources, name)
            integration = _properties(resources, route["Target"]["Fn::Join"][1][1]["Ref"])
            authorizer = None
            if route.get("AuthorizationType") == "CUSTOM":
                uri = _properties(resources, _reference(route["AuthorizerId"]))["AuthorizerUri"]["Fn::Join"][1]
                (authorizer,) = (_reference(part) for part in uri if "Fn::GetAtt" in part)
            routes[route["RouteKey"]] = GatewayRoute(_reference(integration["IntegrationUri"]), authorizer)
        return routes


@contextmanager
def _process_of_its_own(module: Any, variables: Mapping[str, str]) -> Iterator[None]:
    """On AWS each function has its own process and environment; here one may run within another.

    So the module's state is restored afterwards: its settings, and the request that its routes are handling.
    """
    api = getattr(module, "api", None)
    request = getattr(BaseRouter, "current_event", None), dict(api.context) if api else {}
    outside = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    settings.load.cache_clear()
    try:
        yield
    finally:
        for name, value in outside.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        settings.load.cache_clear()
        if request[0] is not None:
            BaseRouter.current_event = request[0]
        if api:
            api.context.clear()
            api.context.update(request[1])


class ScheduleExists(ClientError):
    """Stands for botocore's ConflictException."""


class ResourceMissing(ClientError):
    """Stands for botocore's ResourceNotFoundException."""


class Exceptions:
    """The exception classes of a client."""

    ConditionalCheckFailedException = Database.exceptions.ConditionalCheckFailedException
    TransactionCanceledException = Database.exceptions.TransactionCanceledException
    ConflictException = ScheduleExists
    ResourceNotFoundException = ResourceMissing


def _names(resources: Resources, kind: str) -> Iterable[str]:
    return sorted(name for name, resource in resources.items() if resource["Type"] == f"AWS::{kind}")


def _properties(resources: Resources, name: str) -> Mapping[str, Any]:
    properties: Mapping[str, Any] = resources[name]["Properties"]
    return properties


def _reference(value: Any) -> str:
    """The logical name of a Ref or GetAtt; here it serves as name, URL and ARN."""
    match value:
        case {"Ref": str(name)}:
            return name
        case {"Fn::GetAtt": [str(name), _]}:
            return name
        case _:
            return str(value)


def _rate(expression: str) -> timedelta:
    number, unit = expression.removeprefix("rate(").removesuffix(")").split()
    return timedelta(**{unit if unit.endswith("s") else f"{unit}s": int(number)})


def _client_error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "injected"}}, operation)


def _keys(request: Mapping[str, Any]) -> str:
    writes = [write for entry in request.get("TransactItems", []) for write in entry.values()] or [request]
    found = [write.get("Key") or write.get("Item") or {} for write in writes]
    return ", ".join(key["pk"]["S"] + (f" {key['sk']['S']}" if "sk" in key else "") for key in found if key)
