"""Checks before routing: a request comes from our own site or a program, and has one meaning only."""

import base64
import json
from typing import Any

import pytest

from tests.support.lambda_events import Person, http_event
from tests.support.signing_key import SigningKey
from tests.support.world import World

ORDER = "/api/orders/01ARZ3NDEKTSV4RRFFQ69G5FAV"
TICKET = "/api/tickets/01ARZ3NDEKTSV4RRFFQ69G5FAV"
BODY = '{"title": "Row 1", "price": "10.00"}'


@pytest.fixture
def person(world: World, monkeypatch: pytest.MonkeyPatch) -> Person:
    SigningKey(monkeypatch)
    return world.person()


# Writes that another site makes a browser send

WRITES = {
    "POST /api/users/signup": '{"email": "someone@example.com", "password": "correct horse"}',
    "POST /api/users/signin": '{"email": "someone@example.com", "password": "correct horse"}',
    "POST /api/users/signout": None,
    "POST /api/users/email/verify": '{"token": "x"}',
    "POST /api/users/password/forgot": '{"email": "someone@example.com"}',
    "POST /api/users/password/reset": '{"token": "x", "password": "correct horse"}',
    "PUT /api/users/password": '{"current": "correct horse", "new": "battery staple"}',
    "DELETE /api/users/sessions": None,
    "POST /api/tickets": BODY,
    f"PUT {TICKET}": BODY,
    f"DELETE {TICKET}": None,
    "POST /api/orders": '{"ticketID": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}',
    f"DELETE {ORDER}": None,
    "POST /api/payments": '{"orderId": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}',
}
ELSEWHERE = {
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "a sibling subdomain": {"Sec-Fetch-Site": "same-site"},
    "no value": {"Sec-Fetch-Site": ""},
    "two values": {"Sec-Fetch-Site": "same-origin,cross-site"},
    "an older browser": {"Origin": "https://evil.example"},
    "an older browser without TLS": {"Origin": "http://api.example"},
    "another port": {"Origin": "https://api.example:8443"},
    "a name that begins alike": {"Origin": "https://api.example.evil.example"},
    "a sandboxed frame": {"Origin": "null"},
    "a mark and an origin that is ours": {"Sec-Fetch-Site": "cross-site", "Origin": "https://api.example"},
}
HERE = {
    "a program": {},
    "our client": {"Sec-Fetch-Site": "same-origin", "Origin": "https://tickets.example"},
    "the user": {"Sec-Fetch-Site": "none"},
    "an older browser": {"Origin": "https://api.example"},
}


def write(world: World, person: Person, call: str, headers: dict[str, str]) -> Any:
    method, path = call.split()
    event = http_event(method, path, raw=WRITES[call], by=person, headers=headers)
    event["requestContext"]["domainName"] = "api.example"
    noun = path.split("/")[2]
    return world.invoke(f"{'auth' if noun == 'users' else noun}.api", event)


@pytest.mark.parametrize("call", WRITES)
@pytest.mark.parametrize("headers", ELSEWHERE.values(), ids=ELSEWHERE)
def test_writes_from_other_sites_are_refused(world: World, person: Person, call: str, headers: dict[str, str]) -> None:
    answer = write(world, person, call, headers)

    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (403, "cross_site_request")
    assert not answer.get("cookies")
    assert not any(world.items(service) for service in ("auth", "tickets", "orders"))


@pytest.mark.parametrize("call", WRITES)
@pytest.mark.parametrize("headers", HERE.values(), ids=HERE)
def test_our_own_site_and_programs_may_write(world: World, person: Person, call: str, headers: dict[str, str]) -> None:
    assert write(world, person, call, headers)["statusCode"] not in (403, 415)


@pytest.mark.parametrize("headers", ELSEWHERE.values(), ids=ELSEWHERE)
def test_cross_site_reads_are_left_to_the_same_origin_policy(
    world: World, person: Person, headers: dict[str, str]
) -> None:
    assert world.call("GET", "/api/orders", by=person, headers=headers).status == 200


# Types

REFUSED_TYPES = {
    "a form's": {"Content-Type": "application/x-www-form-urlencoded"},
    "an upload's": {"Content-Type": "multipart/form-data; boundary=x"},
    "text": {"Content-Type": "text/plain"},
    "JSONP": {"Content-Type": "application/jsonp"},
    "a longer name": {"Content-Type": "application/json-patch+json"},
    "two headers": {"Content-Type": "application/json, text/plain"},
    "two headers, the other way": {"Content-Type": "text/plain, application/json"},
    "two headers with a parameter": {"Content-Type": "application/json; charset=utf-8, text/plain"},
    "UTF-16": {"Content-Type": "application/json; charset=utf-16"},
    "Latin-1": {"Content-Type": "application/json;charset=ISO-8859-1"},
    "no charset": {"Content-Type": "application/json;charset="},
    "a charset without a value": {"Content-Type": "application/json; charset"},
    "a charset in spaces": {"Content-Type": "application/json; charset = utf-16"},
    "two charsets": {"Content-Type": "application/json; charset=utf-8; charset=utf-16"},
    "UTF-7": {"Content-Type": 'application/json; charset="utf-7"'},
    "gzip": {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    "two codings": {"Content-Type": "application/json", "Content-Encoding": "identity, br"},
}
GOOD_TYPES = [
    "application/json",
    "Application/JSON",
    "application/json; charset=utf-8",
    'application/json;charset="UTF-8"',
    "application/json; charset=us-ascii",
    "application/json;",
]


@pytest.mark.parametrize("headers", REFUSED_TYPES.values(), ids=REFUSED_TYPES)
@pytest.mark.parametrize("call", ["POST /api/tickets", "POST /api/users/signout", f"DELETE {ORDER}"])
def test_anything_but_plain_utf_8_json_is_refused(
    world: World, person: Person, call: str, headers: dict[str, str]
) -> None:
    """The content type is checked with and without a body."""
    method, path = call.split()
    for raw in (BODY, None):
        answer = world.call(method, path, raw=raw, by=person, headers=headers)
        assert (answer.status, answer.code) == (415, "unsupported_media_type"), raw
    assert not answer.cookies


def test_a_body_without_a_content_type_is_refused(world: World, person: Person) -> None:
    answer = world.call("POST", "/api/tickets", raw=BODY, by=person, headers={"Content-Type": ""})

    assert (answer.status, answer.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", GOOD_TYPES)
def test_json_may_name_its_charset(world: World, person: Person, content_type: str) -> None:
    headers = {"Content-Type": content_type, "Content-Encoding": "identity"}

    assert world.call("POST", "/api/tickets", raw=BODY, by=person, headers=headers).status == 201


@pytest.mark.parametrize("headers", [{}, {"Content-Type": ""}, {"Content-Type": "application/json"}])
def test_a_write_without_a_body_needs_no_content_type(world: World, person: Person, headers: dict[str, str]) -> None:
    assert world.call("DELETE", "/api/users/sessions", by=person, headers=headers).status == 204


# Bodies

AMBIGUOUS_BODIES = {
    "a field twice": '{"title": "Row 1", "price": "10.00", "price": "1.00"}',
    "twice the same": '{"title": "Row 1", "title": "Row 1", "price": "10.00"}',
    "an escaped name": '{"title": "Row 1", "price": "10.00", "pr\\u0069ce": "1.00"}',
    "an empty name": '{"": 1, "": 2}',
    "in an object": '{"title": {"a": 1, "a": 2}, "price": "10.00"}',
    "in an array": '{"title": [[{"a": 1, "a": 2}]], "price": "10.00"}',
    "in an unknown field": '{"x": {"y": {"z": 1, "z": 1}}}',
    "__proto__": '{"__proto__": 1, "__proto__": 2}',
    "more after it": BODY + "{}",
    "a mark of byte order": "\ufeff" + BODY,
    "a NUL after it": BODY + "\0",
}


@pytest.mark.parametrize("raw", AMBIGUOUS_BODIES.values(), ids=AMBIGUOUS_BODIES)
@pytest.mark.parametrize("call", ["POST /api/tickets", "POST /api/users/signout", f"DELETE {ORDER}"])
def test_ambiguous_json_is_refused(world: World, person: Person, call: str, raw: str) -> None:
    method, path = call.split()
    answer = world.call(method, path, raw=raw, by=person)

    assert (answer.status, answer.code) == (400, "invalid_json")
    assert world.items("tickets") == []


def test_the_error_names_the_repeated_field(world: World, person: Person) -> None:
    answer = world.call("POST", "/api/tickets", raw=AMBIGUOUS_BODIES["a field twice"], by=person)

    assert answer.json["errors"] == [{"message": "must come once", "field": "price"}]


def test_a_long_repeated_name_is_shortened_in_the_error(world: World, person: Person) -> None:
    name = "f" * 30_000
    answer = world.call("POST", "/api/tickets", raw=f'{{"{name}": 1, "{name}": 2}}', by=person)

    assert answer.status == 400
    assert len(answer.text) < 1024


def test_the_same_name_in_two_objects_is_accepted(world: World, person: Person) -> None:
    answer = world.call(
        "POST", "/api/tickets", raw='{"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}, {"x": 1}]}', by=person
    )

    assert (answer.status, answer.code) == (400, "invalid_request"), "unknown fields, and nothing else"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
def test_bytes_of_another_encoding_are_refused(world: World, person: Person, encoding: str) -> None:
    event: dict[str, Any] = http_event("POST", "/api/tickets", {}, by=person)
    event |= {"body": base64.b64encode(BODY.encode(encoding)).decode(), "isBase64Encoded": True}
    answer = world.invoke("tickets.api", event)

    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reads_accept_no_body(world: World, person: Person, method: str) -> None:
    assert world.call(method, "/api/orders", raw='{"limit": 1}', by=person).status == 400


# Queries

BAD_QUERIES = [
    *(
        "limit=5.0",
        "limit=+5",
        "limit=%2B5",
        "limit=05",
        "limit=%205",
        "limit=5%20",
        "limit=5%0A",
        "limit=5_0",
        "limit=",
    ),
    *(
        "limit=0",
        "limit=101",
        "limit=1e1",
        "limit=0x5",
        "limit=%D9%A5",
        "limit=-5",
        "limit=true",
        "limit=" + "9" * 5000,
    ),
    *("limit=5&limit=5", "limit=5&limit=6", "limit=5&lim%69t=6", "limit=5,6", "cursor=&cursor=", "a=1&b=2&a=1"),
]


@pytest.mark.parametrize("query", BAD_QUERIES)
@pytest.mark.parametrize("path", ["/api/tickets", "/api/tickets/mine", "/api/orders"])
def test_a_query_parameter_has_one_spelling_and_occurs_once(
    world: World, person: Person, path: str, query: str
) -> None:
    answer = world.call("GET", f"{path}?{query}", by=person)

    assert (answer.status, answer.code) == (400, "invalid_request")


@pytest.mark.parametrize("query", ["", "limit=1", "limit=100", "limit=5&utm_source=x", "&limit=5&"])
def test_a_parameter_in_that_spelling_is_accepted(world: World, person: Person, query: str) -> None:
    assert world.call("GET", f"/api/orders?{query}", by=person).status == 200


def test_the_error_names_the_bounds_of_limit(world: World, person: Person) -> None:
    answer = world.call("GET", "/api/orders?limit=05", by=person)

    assert answer.json["errors"] == [
        {"message": "must be a whole number from 1 to 100, in plain digits", "field": "limit"}
    ]


# Idempotency-Key

KEYS = {"two headers": "a,b", "twice the same": "a,a", "a tab": "a\tb", "no ASCII": "é", "NUL": "a\0"}


@pytest.mark.parametrize("key", [*KEYS.values(), "", "x" * 256], ids=[*KEYS, "nothing", "too long"])
def test_ambiguous_idempotency_keys_are_refused(world: World, person: Person, key: str) -> None:
    answer = world.call("POST", "/api/tickets", raw=BODY, by=person, headers={"Idempotency-Key": key})

    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "Idempotency-Key")
    assert world.items("tickets") == []


@pytest.mark.parametrize("key", ["x", "x" * 255, "8e03978e-40d5-43dd-bc93-6894a57f9324", '"8e03"', "a b", "!~+-#|"])
def test_other_idempotency_keys_are_accepted(world: World, person: Person, key: str) -> None:
    for _ in range(2):
        answer = world.call("POST", "/api/tickets", raw=BODY, by=person, headers={"Idempotency-Key": key})
        assert answer.status == 201
    assert len([item for item in world.items("tickets") if "title" in item]) == 1


# HEAD


@pytest.mark.parametrize(
    "path", ["/api/health", "/api/tickets?limit=1", "/api/users/currentuser", "/api/orders", ORDER]
)
@pytest.mark.parametrize("is_known", [True, False])
def test_head_answers_as_get_without_the_body(world: World, person: Person, path: str, is_known: bool) -> None:
    by = person if is_known else None
    got, headed = (world.call(method, path, by=by) for method in ("GET", "HEAD"))

    assert (headed.status, headed.headers, headed.text) == (got.status, got.headers, "")
    assert got.text
