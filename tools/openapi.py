"""`make openapi`: generates docs/openapi.json from the routes.

Bodies and parameters come from the routes' types, refusals from the route's own list (`Api.raises`). The refusals of
the HTTP edge are listed below, as are Stripe's webhooks, which have no `Api`. Tests check that the file is current,
that its routes are those of the CDK app, and that every answer conforms to it.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from itertools import groupby
from pathlib import Path
from typing import Any

from functions.auth.api import api as auth
from functions.orders.api import api as orders
from functions.payments.api import api as payments
from functions.payments.payouts_api import api as payouts
from functions.payments.webhook import TYPES
from functions.tickets.api import api as tickets
from shared.http import MAX_KEY_LENGTH, Api
from shared.problems import CONTENT_TYPE

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"

SERVICES = {"auth": auth, "tickets": tickets, "orders": orders, "payments": payments, "payouts": payouts}
"""The APIs: those of the services, and that of payouts, a second one of Payments."""

DESCRIPTION = """\
A ticket marketplace: every ticket sells exactly once, and nobody pays for a ticket they did not get.

Prices are decimal strings, times RFC 3339 in UTC, ids ULIDs. Lists come in pages, newest first. Every refusal is a
problem document (RFC 9457) with a `code` for programs; bodies that API Gateway itself makes (no such route, too many
requests) are its own. Every response has `Cache-Control: no-store`; only CloudFront itself keeps public tickets, for a
second. Compare `expiresAt` with the answer's `Date`, not with the device's clock.

Bodies are JSON in UTF-8 in which no name is repeated; a query parameter comes once; GET takes no body, and every GET
route answers HEAD too. In browsers only the client's own origin can write: a POST, PUT or DELETE that `Sec-Fetch-Site`
(or, where it is missing, `Origin`) marks as sent from elsewhere gets `cross_site_request`. Programs send neither.
"""

type Json = dict[str, Any]
type StatusAndCode = tuple[int, str]
"""A status, and the code of its problem document."""
type CodesByStatus = list[tuple[int, tuple[str, ...]]]

ULID = {"type": "string", "pattern": "^[0-7][0-9A-HJKMNP-TV-Z]{25}$", "examples": ["01KARTQ2M8Z6V3N4J5X7C9E1F2"]}
INSTANT = {"type": "string", "format": "date-time", "examples": ["2026-11-30T12:00:00.000Z"]}
SUM = {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{2})?$", "examples": ["42.75"]}
SHAPES: dict[str, Json] = {
    **dict.fromkeys(("id", "userID", "orderID", "orderId"), ULID),
    "price": {"type": "string", "pattern": r"^[0-9]{1,6}(\.[0-9]{2})?$", "examples": ["12.50"]},
    "currency": {"type": "string", "pattern": "^[a-z]{3}$", "examples": ["usd"]},
    "createdAt": {"type": "string", "format": "date-time", "examples": ["2026-11-23T12:00:00.000Z"]},
    "expiresAt": {"type": "string", "format": "date-time", "examples": ["2026-11-23T12:05:00.000Z"]},
    **dict.fromkeys(("availableAt", "paidAt"), INSTANT),
    **dict.fromkeys(("gross", "net", "held", "due", "paid", "reversed", "cancelled", "blocked"), SUM),
    "version": {"type": "integer", "minimum": 1},
    "amount": {"type": "integer", "minimum": 1, "examples": [1250]},
    "amountRefunded": {"type": "integer", "minimum": 1, "examples": [500]},
    "stripeId": {"type": "string", "examples": ["pi_3SWbLh2eZvKYlo2C1IuX9Jq7"]},
    "title": {"type": "string", "minLength": 1, "examples": ["Row 1, seat 2"]},
    "pendingChange": {"$ref": "#/components/schemas/PendingChange"},
    "clientSecret": {"type": "string", "description": "For confirming the payment at Stripe. Only while it is open."},
    "publishableKey": {"type": "string", "description": "For Stripe.js. Only while the payment is open."},
}
"""The shapes of these fields in answers. The routes declare them as plain text: our own data is not validated."""

REFUND_SHAPES = {"amount": SHAPES["price"], "at": SHAPES["createdAt"]}
"""The fields of a refund, its request and decision: the `amount` is a decimal string, a payment's is in minor units."""

PATH_PARAMETERS = {
    "auth": {"session_id": "id"},
    "tickets": {"ticket_id": "id"},
    "orders": {"order_id": "id"},
    "payments": {"order_id": "orderId"},
    "payouts": {},
}
"""API Gateway's names of the routes' parameters."""

STRIPE_EVENT: Json = {
    "type": "object",
    "description": "As much of Stripe's event as is read: of which PaymentIntent it speaks.",
    "properties": {
        "id": {"type": "string"},
        "type": {"type": "string", "examples": sorted(TYPES)},
        "account": {"type": ["string", "null"], "description": "Another account's events are left alone."},
        "data": {
            "type": "object",
            "properties": {
                "object": {
                    "type": "object",
                    "properties": {
                        "object": {"type": "string", "examples": ["payment_intent", "charge"]},
                        "id": {"type": ["string", "null"]},
                        "payment_intent": {"type": ["string", "null"]},
                    },
                }
            },
            "required": ["object"],
        },
    },
    "required": ["type", "data"],
}

CONNECT_EVENT: Json = {
    "type": "object",
    "description": "As much of Stripe's event as is read: of which account and user it speaks.",
    "properties": {
        "id": {"type": "string"},
        "type": {"type": "string", "examples": ["account.updated"]},
        "data": {
            "type": "object",
            "properties": {
                "object": {
                    "type": "object",
                    "properties": {"id": {"type": ["string", "null"]}, "metadata": {}},
                }
            },
            "required": ["object"],
        },
    },
    "required": ["type", "data"],
}

ANY_ROUTE: tuple[StatusAndCode, ...] = (
    (400, "invalid_json"),
    (400, "invalid_request"),
    (413, "body_too_large"),
    (415, "unsupported_media_type"),
    (500, "internal_error"),
    (503, "unavailable"),
)
WEBHOOK: tuple[StatusAndCode, ...] = (
    (400, "bad_signature"),
    (400, "invalid_json"),
    (400, "invalid_request"),
    (500, "not_recorded_yet"),
    (503, "payments_not_configured"),
    (503, "unavailable"),
)
PARAMETERS: dict[str, Json] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key and request within 24 hours returns the first answer again."
        " A key belongs to one user and route. Printable ASCII without a comma: commas join repeated headers.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": "^[ -+\\--~]*$"},
        "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
    },
    "CacheControl": {
        "name": "Cache-Control",
        "in": "header",
        "description": "Without it, CloudFront may send a response that is up to a second old, which then has the"
        " header `Age`. `no-cache` returns the current state, which the caller may just have changed.",
        "schema": {"type": "string", "examples": ["no-cache"]},
    },
}
HEADERS: dict[str, Json] = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "Age": {
        "description": "Seconds since the response was made. Absent if it was made for this request.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {"description": "RFC 9110.", "schema": {"type": "string"}},
    "Set-Cookie": {
        "description": "The session cookie: the token, out of scripts' reach. Its name is `__Host-admit-one`, or"
        " `admit-one` on a stage without TLS. Signing out also clears `session`, its former name. Signing in and up"
        " also set a device cookie, `__Host-admit-one-device-…`, for which failed sign-ins are counted separately.",
        "schema": {"type": "string", "pattern": "^(__Host-)?admit-one(-device-[0-9a-f]{8})?="},
    },
}
OPTIONAL = {"Age"}
"""The headers that a response may lack."""
ALWAYS = {401: "WWW-Authenticate", 429: "Retry-After"}
"""The headers that every problem of a status has."""


def main() -> int:
    """Write the document."""
    DOCUMENT.write_text(rendered())
    sys.stdout.write(f"{DOCUMENT.relative_to(Path.cwd())}\n")
    return 0


def rendered() -> str:
    """The document as text, as stored in the file."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def document() -> Json:
    """The whole API as an OpenAPI 3.1 document."""
    paths: dict[str, Json] = {}
    schemas: dict[str, Json] = {}
    for service in SERVICES:
        for path, method, operation, its_schemas in _operations(service):
            paths.setdefault(path, {})[method] = operation
            for name, schema in its_schemas.items():
                if schemas.setdefault(name, schema) != schema:
                    raise ValueError(f"two services have different schemas named {name}")
    paths["/api/payments/webhook"] = {"post": _webhook("webhook", "a Stripe webhook", "payments", "StripeEvent")}
    paths["/api/payouts/webhook"] = {
        "post": _webhook("payouts_webhook", "a Stripe webhook about a seller's account", "payouts", "ConnectEvent")
    }
    refused = {each for path in paths.values() for operation in path.values() for each in operation.pop("x-refusals")}
    schemas |= {"StripeEvent": STRIPE_EVENT, "ConnectEvent": CONNECT_EVENT}
    schemas["Problem"] = _problem_schema(sorted({code for _, codes in refused for code in codes}))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Admit One",
            "version": "1",
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": {path: paths[path] for path in sorted(paths)},
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "parameters": PARAMETERS,
            "responses": {_name(status, codes): _problem_response(status, codes) for status, codes in sorted(refused)},
            "schemas": {name: schemas[name] for name in sorted(schemas)},
        },
    }


def _operations(service: str) -> Iterator[tuple[str, str, Json, dict[str, Json]]]:
    """The path, method, operation and schemas of each route of a service."""
    api = SERVICES[service]
    # Schemas are prefixed with the service: two services may each have a Status.
    raw = api.get_openapi_json_schema(title=service, version="1")
    made = json.loads(re.sub(r"(#/components/schemas/)(\w+)", lambda m: m[1] + _schema_name(service, m[2]), raw))
    schemas = {
        _schema_name(service, name): _schema(schema, REFUND_SHAPES if name.startswith("Refund") else SHAPES)
        for name, schema in made["components"]["schemas"].items()
        if "Validation" not in name and name != "Instant"  # powertools' own, and one whose shape is given below
    }
    documented = {}
    for route in api._dynamic_routes + api._static_routes:  # noqa: SLF001 - powertools has no other list of them
        path = re.sub(r"{(\w+)}", lambda m: f"{{{PATH_PARAMETERS[service][m[1]]}}}", route.openapi_path)
        made_operation = made["paths"][route.openapi_path][route.method.lower()]
        documented[path, route.method.lower()] = _operation(service, api, path, route, made_operation)
    for (path, method), operation in documented.items():
        yield path, method, operation, schemas


def _operation(service: str, api: Api, path: str, route: Any, made: Json) -> Json:
    is_public = f"{route.method} {path}" in api.public
    takes_key = route.func.__name__ in api.idempotent_routes
    parameters = [_parameter(service, parameter) for parameter in made.get("parameters", [])]
    declared = api.declared.get(route.func.__name__)
    refusals = [*ANY_ROUTE, *((problem.status, problem.code) for problem in (declared.problems if declared else ()))]
    if f"{route.method} {path}" not in api.direct:
        refusals.append((403, "not_through_edge"))
    if not is_public:
        refusals.append((401, "unauthenticated"))
    if route.method != "GET":
        refusals.append((403, "cross_site_request"))
    if not (is_public or route.method == "GET" or api.open_to_unverified):
        refusals.append((403, "email_not_verified"))
    if "{" in path:
        refusals.append((404, "not_found"))
    if takes_key:
        refusals += [(409, "idempotency_in_progress"), (422, "idempotency_key_reused")]
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
    is_cached = f"{route.method} {path}" in api.cached
    if is_cached:
        parameters.append({"$ref": "#/components/parameters/CacheControl"})
    refused = _by_status(refusals)
    good = {route.status_code: f"{HTTPStatus(route.status_code).phrase}.", **(declared.successes if declared else {})}
    content = made["responses"][str(route.status_code)].get("content", {})
    operation = {
        "operationId": route.func.__name__,
        "summary": _first_line(route.func).removesuffix("."),
        "description": _rest(route.func),
        "tags": [service],
        "security": [] if is_public else [{"bearer": []}],
        "parameters": parameters,
        "requestBody": made.get("requestBody"),
        "responses": {
            str(status): _success(status, good[status], content, route.status_code) for status in sorted(good)
        }
        | _references(refused),
        "x-refusals": refused,
    }
    if service == "auth" and route.func.__name__.startswith("sign_"):
        operation["responses"][str(route.status_code)]["headers"] = _headers("Set-Cookie")
    if is_cached:
        operation["responses"][str(route.status_code)]["headers"] = _headers("Age")
    return {name: value for name, value in operation.items() if value or name == "security"}


def _webhook(name: str, what: str, tag: str, schema: str) -> Json:
    refused = _by_status(WEBHOOK)
    return {
        "operationId": name,
        "summary": f"Receive {what}",
        "description": "Signed over the raw body. Stripe retries after any answer but 200.",
        "tags": [tag],
        "security": [],
        "parameters": [
            {"name": "Stripe-Signature", "in": "header", "required": True, "schema": {"type": "string"}},
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
        },
        "responses": {
            "200": _success(
                200,
                "Handled, or ignored because the event belongs to another stage or account.",
                {"application/json": {"schema": {"maxProperties": 0}}},
            )
        }
        | _references(refused),
        "x-refusals": refused,
    }


def _success(status: int, meaning: str, content: Json, usual: int = HTTPStatus.OK) -> Json:
    """Describe a success. A 202 of a route whose `usual` status is another one asks to repeat the request."""
    answer: Json = {"description": meaning}
    if status == HTTPStatus.NO_CONTENT or all(of["schema"].get("type") == "null" for of in content.values()):
        return answer
    if status == HTTPStatus.ACCEPTED != usual:
        answer["headers"] = _headers("Retry-After")
    return {
        **answer,
        "content": {media_type: {"schema": _of_a_body(of["schema"])} for media_type, of in content.items()},
    }


def _of_a_body(schema: Json) -> Json:
    """The response schema of a route that may answer without a body, taken from its only schema with a body."""
    match schema:
        case {"anyOf": [body, {"type": "null"}]}:
            return dict(body)
        case _:
            return schema


def _by_status(refusals: Iterable[StatusAndCode]) -> CodesByStatus:
    groups = groupby(sorted(set(refusals)), key=lambda each: each[0])
    return [(status, tuple(code for _, code in group)) for status, group in groups]


def _references(refused: CodesByStatus) -> dict[str, Json]:
    return {str(status): {"$ref": f"#/components/responses/{_name(status, codes)}"} for status, codes in refused}


def _name(status: int, codes: tuple[str, ...]) -> str:
    return f"{status}_{'.'.join(codes)}"


def _problem_response(status: int, codes: tuple[str, ...]) -> Json:
    """The problem documents of one status, with their possible codes."""
    which = {"status": {"const": status}, "code": {"enum": codes}}
    schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}], "properties": which}
    answer: Json = {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in codes)}.",
        "content": {CONTENT_TYPE: {"schema": schema}},
    }
    return answer | ({"headers": _headers(ALWAYS[status])} if status in ALWAYS else {})


def _headers(name: str) -> Json:
    return {name: {**HEADERS[name], "required": name not in OPTIONAL}}


def _problem_schema(codes: list[str]) -> Json:
    text = {"type": "string"}
    error = {"type": "object", "properties": {"message": text, "field": text}, "required": ["message"]}
    return {
        "type": "object",
        "description": "Why a request was refused (RFC 9457).",
        "properties": {
            "type": {"type": "string", "format": "uri", "pattern": "^urn:admit-one:problem:"},
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "code": {"type": "string", "description": "The machine-readable error code.", "enum": codes},
            "errors": {"type": "array", "minItems": 1, "items": error},
            "requestId": text,
            "declineCode": {"type": "string", "description": "Stripe's reason for declining the card."},
        },
        "required": ["type", "title", "status", "detail", "code", "errors", "requestId"],
        "examples": [
            {
                "type": "urn:admit-one:problem:ticket_held",
                "title": "Conflict",
                "status": 409,
                "detail": "another buyer holds the ticket",
                "code": "ticket_held",
                "errors": [{"message": "another buyer holds the ticket"}],
                "requestId": "JKJaXmPLvHcESHA=",
            }
        ],
    }


def _parameter(service: str, parameter: Json) -> Json:
    if parameter["in"] == "path":
        return {**parameter, "name": PATH_PARAMETERS[service][parameter["name"]], "schema": ULID}
    schema = _untitled(parameter["schema"])
    match schema:
        case {"anyOf": [{"type": kind}, {"type": "null"}]}:  # a parameter is present or absent, never null
            schema = {"type": kind}
        case {"type": "integer"}:
            schema = {key: int(value) if isinstance(value, float) else value for key, value in schema.items()}
    return {**parameter, "schema": {key: value for key, value in schema.items() if key != "description"}}


def _schema_name(service: str, name: str) -> str:
    """Prefix a name with its service: `Status` of Orders becomes `OrderStatus`, `TicketOut` `OrderedTicket`."""
    if name == "Status":
        return f"{service.removesuffix('s').title()}Status"
    return {("orders", "TicketOut"): "OrderedTicket"}.get((service, name), name).removesuffix("Out")


def _schema(schema: Json, shapes: Mapping[str, Json]) -> Json:
    """The schema of a body; known fields have the shapes of SHAPES."""
    tidy: Json = _untitled(schema)
    is_answer = tidy.get("additionalProperties") is not False
    if is_answer and tidy.get("type") == "object":
        required = tidy.get("required", ())
        tidy["properties"] = {
            field: shapes.get(field) or (properties if field in required else _never_null(properties))
            for field, properties in tidy["properties"].items()
        }
    return tidy


def _never_null(schema: Json) -> Json:
    """Optional fields of an answer are absent, never null."""
    match schema:
        case {"anyOf": [kind, {"type": "null"}]}:
            return dict(kind)
        case _:
            return schema


def _untitled(schema: Any) -> Any:
    """Remove titles that only repeat a name."""
    match schema:
        case dict():
            return {
                key: {name: _untitled(each) for name, each in value.items()}
                if key == "properties"
                else _untitled(value)
                for key, value in schema.items()
                if key != "title"
            }
        case list():
            return [_untitled(each) for each in schema]
        case _:
            return schema


def _first_line(function: Any) -> str:
    return str(function.__doc__).partition("\n")[0].strip()


def _rest(function: Any) -> str:
    return " ".join(str(function.__doc__).partition("\n")[2].split())


if __name__ == "__main__":
    sys.exit(main())
