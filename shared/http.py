"""The HTTP interface of every service: authentication, request validation, idempotency and error responses.

Routes that are not public reject anonymous requests. Invalid requests are rejected before they reach a route. Every
exception of a route becomes a problem response.
"""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from types import MappingProxyType
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Query
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from shared import clock, idempotency
from shared.admission import MAX_FIELD_LENGTH, admit, check_edge, parse_json
from shared.ids import UserID
from shared.money import PLAIN_DECIMAL, parse_decimal
from shared.pagination import HIGHEST_LIMIT, BadCursor
from shared.problems import CONTENT_TYPE, FieldError, Problem, ProblemType, problem_type
from shared.table import Contention, Table, is_transient
from shared.telemetry import Trace, follow, logger

MAX_KEY_LENGTH = 255
MAX_ERRORS = 20  # in one problem; a body of 64 KB can have thousands
CACHE_SECONDS = 1
"""How long the edge may answer a cached route with the same response."""

_KEY = re.compile(rf"[ -+\--~]{{1,{MAX_KEY_LENGTH}}}")  # printable ASCII without the comma

type Problems = Mapping[type[Exception], Callable[[Any], Problem]]

COMMON_PROBLEMS: Problems = {
    Problem: lambda problem: problem,
    NotFoundError: lambda _: Problem(404, "not_found", "there is no resource at this path"),
    RequestValidationError: lambda error: _invalid(error),
    BadCursor: lambda error: Problem(400, "invalid_request", f"cursor {error}", [FieldError(str(error), "cursor")]),
    idempotency.KeyReused: problem_type(422, "idempotency_key_reused"),
    idempotency.InProgress: problem_type(409, "idempotency_in_progress", Retry_After="1"),
    Contention: problem_type(503, "unavailable", Retry_After="1"),
    BotoCoreError: lambda _: _unavailable(),
    ClientError: lambda error: _unavailable() if is_transient(error) else _crashed(),
}


class Input(BaseModel):
    """Base of request bodies: strict types, unknown fields rejected."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


class Output(BaseModel):
    """Base of response bodies."""

    model_config = ConfigDict(frozen=True, defer_build=True)


@dataclass(frozen=True, slots=True)
class User:
    """The caller, as identified by the authorizer."""

    id: UserID
    email: str
    email_verified: bool
    session_id: str


type Instant = Annotated[AwareDatetime, PlainSerializer(clock.to_rfc3339, return_type=str, when_used="json")]
"""A point in time, in JSON as RFC 3339 in UTC."""


def _check_decimal(text: str) -> str:
    parse_decimal(text)
    return text


DecimalText = Annotated[
    str, AfterValidator(_check_decimal), Field(json_schema_extra={"pattern": f"^{PLAIN_DECIMAL.pattern}$"})
]
"""A plain decimal number as text, not yet checked against a currency."""


def _parse_limit(text: str) -> int:
    """Parse a limit in canonical form only: rejects `+5`, `05`, ` 5`, `5.0` and `1_0`, most of which `int` accepts."""
    if not re.fullmatch(r"[1-9][0-9]{0,2}", text) or int(text) > HIGHEST_LIMIT:
        raise ValueError(f"must be a whole number from 1 to {HIGHEST_LIMIT}, in plain digits")
    return int(text)


Limit = Annotated[
    int,
    BeforeValidator(_parse_limit),
    Query(
        description=f"Maximum number of entries to return (1 to {HIGHEST_LIMIT}).",
        json_schema_extra={"minimum": 1, "maximum": HIGHEST_LIMIT},
    ),
]
Cursor = Annotated[str | None, Query(description="`nextCursor` of the previous page.")]


@dataclass(frozen=True, slots=True)
class DeclaredResponses:
    """The responses of a route besides its success and those of every route. Used only for the OpenAPI document.

    `successes` maps further success statuses to their meanings.
    """

    problems: tuple[ProblemType, ...]
    successes: Mapping[int, str]


class Api(APIGatewayHttpResolver):
    """The routes of one service behind the HTTP API.

    `public` are the route keys ("GET /api/tickets") that accept anonymous requests, `direct` those that accept requests
    which did not come through the edge. `cached` are public GET routes whose response depends on path and query string
    alone: the edge keeps a 200 for CACHE_SECONDS. Users without a proved e-mail address can only read, unless the API
    is `open_to_unverified`. `problems` maps the errors of the service to problems. `table`
    returns the table that holds the records of idempotent routes.
    """

    def __init__(
        self,
        *,
        public: Collection[str] = (),
        direct: Collection[str] = (),
        cached: Collection[str] = (),
        open_to_unverified: bool = False,
        problems: Mapping[type[Exception], ProblemType],
        table: Callable[[], Table] | None = None,
    ) -> None:
        super().__init__(
            enable_validation=True,
            response_validation_error_http_code=HTTPStatus.INTERNAL_SERVER_ERROR,
            json_body_deserializer=parse_json,
        )
        self.public = frozenset(public)
        self.direct = frozenset(direct)
        self.cached = frozenset(cached)
        self.open_to_unverified = open_to_unverified
        self.problems = problems
        self.declared: dict[str, DeclaredResponses] = {}
        self.idempotent_routes: set[str] = set()
        self._table = table
        self._problems: Problems = {**COMMON_PROBLEMS, **problems}
        self.exception_handler(Exception)(lambda error: self._problem_response(self._problem(error)))
        self.exception_handler(_Replay)(lambda replay: _replay(replay.response))

    def handle(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Handle one request of the HTTP API (payload format 2.0) and return its response."""
        request_id = event["requestContext"]["requestId"]
        route = event["routeKey"]
        is_head = route.startswith("HEAD ")
        with follow(Trace(correlation_id=request_id, causation_id=request_id)):
            if is_head:  # the response to GET, without its body (RFC 9110, 9.3.2)
                event["routeKey"] = route.replace("HEAD", "GET", 1)
                event["requestContext"]["http"]["method"] = "GET"
            try:
                if event["routeKey"] not in self.direct:
                    check_edge(event.get("headers") or {})
                if event["routeKey"] not in self.public:
                    self._check_user(event)
                admit(event)
            except Problem as problem:
                response = _http(problem, request_id)
            else:
                response = self.resolve(event, context)
            logger.info("request", route=route, status=response["statusCode"])
        is_cached = event["routeKey"] in self.cached and response["statusCode"] == HTTPStatus.OK
        cache_control = f"s-maxage={CACHE_SECONDS}" if is_cached else "no-store"
        response.setdefault("headers", {})["Cache-Control"] = cache_control
        response["body"] = "" if is_head else response.get("body") or ""
        return response

    def _check_user(self, event: dict[str, Any]) -> None:
        """Refuse anonymous requests, and writes of users who have not proved their e-mail address."""
        user = _user(event)
        if user is None:
            raise _unauthenticated()
        if not (user.email_verified or self.open_to_unverified or event["routeKey"].startswith("GET ")):
            raise Problem(403, "email_not_verified", "confirm your e-mail address first: a link was mailed to it")

    def raises[F: Callable[..., Any]](
        self, *errors: type[Exception], successes: Mapping[int, str] = MappingProxyType({})
    ) -> Callable[[F], F]:
        """Declare the service's errors that a route raises, and its further success statuses with their meanings.

        `docs/openapi.json` is generated from this. tests/security fails on responses that are not declared.
        """

        def declare(route: F) -> F:
            self.declared[route.__name__] = DeclaredResponses(
                tuple(self.problems[error] for error in errors), successes
            )
            return route

        return declare

    @property
    def user(self) -> User:
        """Return the authenticated caller of a route that is not public."""
        user = _user(self.current_event.raw_event)
        if user is None:
            raise _unauthenticated()
        return user

    def idempotent[**P](self, route: Callable[P, Response[Any]]) -> Callable[P, Response[Any]]:
        """Declare a route idempotent: it runs once for each `Idempotency-Key`.

        The response is stored in the transaction of the effect if the route's unit of work has this request's
        `completion`. Otherwise it is stored afterwards, problems included, unless its status or `Retry-After` asks for
        a retry, or the request was invalid (400): a corrected request may use the same key. Requests without
        the header run every time.
        """
        self.idempotent_routes.add(route.__name__)

        @wraps(route)
        def run_once(*args: P.args, **kwargs: P.kwargs) -> Response[Any]:
            record = self._begin()
            self.context["record"] = record
            if record is None:
                return route(*args, **kwargs)
            try:
                response = route(*args, **kwargs)
            except Exception as error:
                problem = self._problem(error)
                if problem.is_retryable() or problem.status == HTTPStatus.BAD_REQUEST:
                    record.release()
                else:
                    record.complete(idempotency.StoredResponse(problem.status, problem.body(self._request_id)))
                raise
            if "Retry-After" in response.headers:
                record.release()
            else:
                record.complete(_to_stored(response.status_code, response.body))
            return response

        return run_once

    def completion[Result](self, render: Callable[[Result], Output | None]) -> idempotency.Completion[Result] | None:
        """Return how a unit of work completes this request: with the body that `render` returns for its result.

        The status is the route's own. None for a request without an `Idempotency-Key`.
        """
        record: idempotency.Record | None = self.context.get("record")
        if record is None:
            return None
        status = self._status
        return idempotency.Completion(record, lambda result: _to_stored(status, render(result)))

    def success(self, body: Output | None = None) -> Response[Any]:
        """Return the response of the current route's success: its declared status, with this body."""
        return Response(self._status, None if body is None else "application/json", body)

    @property
    def idempotency_id(self) -> str | None:
        """Return an id that is equal for all requests with the same user, route, `Idempotency-Key`, path and body.

        None for requests without the header.
        """
        request = self._idempotent_request()
        if request is None:
            return None
        named = json.dumps([request.user_id, request.route, request.key, request.fingerprint])
        return hashlib.sha256(named.encode()).hexdigest()[:32]

    @property
    def _status(self) -> int:
        """The declared status of the current route's success."""
        status: int = self.context["_route"].status_code
        return status

    def _begin(self) -> idempotency.Record | None:
        """Begin an idempotent request: return its record, or None for a request without an `Idempotency-Key`."""
        request = self._idempotent_request()
        if request is None:
            return None
        assert self._table  # noqa: S101  # for the types: every API with idempotent routes has one
        begun = idempotency.begin(self._table(), request)
        if isinstance(begun, idempotency.StoredResponse):
            raise _Replay(begun)
        return begun

    def _idempotent_request(self) -> idempotency.Request | None:
        event = self.current_event.raw_event
        key = event.get("headers", {}).get("idempotency-key")
        if key is None:
            return None
        if not _KEY.fullmatch(key):
            message = (
                f"must have 1 to {MAX_KEY_LENGTH} ASCII characters and no comma"  # which would separate two headers
            )
            raise Problem(
                400, "invalid_request", f"Idempotency-Key {message}", [FieldError(message, "Idempotency-Key")]
            )
        content = json.dumps([event["rawPath"], self.current_event.json_body], sort_keys=True)
        return idempotency.Request(
            user_id=self.user.id,
            route=event["routeKey"],
            key=key,
            fingerprint=hashlib.sha256(content.encode()).hexdigest(),
        )

    def _problem(self, error: Exception) -> Problem:
        for kind in type(error).__mro__:
            if kind in self._problems:
                problem = self._problems[kind](error)
                if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    logger.warning("request failed", code=problem.code, exc_info=error)
                return problem
        logger.error("request crashed", exc_info=error)
        return _crashed()

    def _problem_response(self, problem: Problem) -> Response[str]:
        return Response(problem.status, CONTENT_TYPE, problem.body(self._request_id), headers=dict(problem.headers))

    @property
    def _request_id(self) -> str:
        return self.current_event.request_context.request_id


class _Replay(Exception):
    """The request was completed before; carries the stored response, which needs no validation."""

    def __init__(self, response: idempotency.StoredResponse) -> None:
        super().__init__("completed before")
        self.response = response


def problem_response(problem: Problem, event: dict[str, Any]) -> dict[str, Any]:
    """Return the problem as a Lambda proxy response, for an entry point without routes."""
    return _http(problem, event["requestContext"]["requestId"])


def _http(problem: Problem, request_id: str) -> dict[str, Any]:
    return {
        "statusCode": problem.status,
        "headers": {"Content-Type": CONTENT_TYPE, **problem.headers},
        "body": problem.body(request_id),
        "isBase64Encoded": False,
    }


def _user(event: dict[str, Any]) -> User | None:
    """Return the caller, or None if the authorizer identified none."""
    context = event["requestContext"].get("authorizer", {}).get("lambda") or {}
    if not context.get("userID"):
        return None
    # A result that API Gateway has cached from before a deployment may lack the newer values.
    return User(
        id=UserID(context["userID"]),
        email=context["email"],
        email_verified=context.get("emailVerified") == "true",
        session_id=context.get("sessionID", ""),
    )


def _unauthenticated() -> Problem:
    return Problem(
        401, "unauthenticated", "sign in to do this", headers={"WWW-Authenticate": 'Bearer realm="admit-one"'}
    )


def _unavailable() -> Problem:
    return Problem(
        503,
        "unavailable",
        "a service that this API depends on did not respond; try again",
        headers={"Retry-After": "1"},
    )


def _crashed() -> Problem:
    return Problem(500, "internal_error", "something went wrong on our side; try again")


def _invalid(error: RequestValidationError) -> Problem:
    errors = [_field_error(one) for one in error.errors()[:MAX_ERRORS]]
    named = "; ".join(f"{one.field} {one.message}" if one.field else one.message for one in errors)
    return Problem(400, "invalid_request", named, errors)


def _field_error(error: dict[str, Any]) -> FieldError:
    _where, *path = error["loc"]
    message = {"extra_forbidden": "is not a field of this request", "missing": "is required"}.get(
        error["type"], error["msg"].removeprefix("Value error, ")
    )
    return FieldError(message, ".".join(str(step) for step in path)[:MAX_FIELD_LENGTH] or None)


def _to_stored(status: int, body: Output | None) -> idempotency.StoredResponse:
    return idempotency.StoredResponse(status, body.model_dump_json() if body is not None else "")


def _replay(stored: idempotency.StoredResponse) -> Response[str]:
    content_type = CONTENT_TYPE if stored.status >= HTTPStatus.BAD_REQUEST else "application/json"
    return Response(stored.status, content_type if stored.body else None, stored.body or None)
