"""Bodies with fields that callers may not set, and bodies made to cause harm.

Bodies that are merely invalid are in tests/integration (`..._is_refused_by_field`) and, by the thousand, in
test_fuzz.py.
"""

import base64

import pytest

from tests.security.scenario import Scenario
from tests.support.lambda_events import http_event
from tests.support.stripe_in_process import deliver_webhook

BODIES: dict[str, dict[str, object]] = {
    "POST /api/users/signup": {"email": "new@example.com", "password": "correct horse"},
    "POST /api/users/signin": {"email": "new@example.com", "password": "correct horse"},
    "POST /api/tickets": {"title": "Row 1", "price": "10.00"},
    "PUT /api/tickets/{id}": {"title": "Row 1", "price": "10.00"},
    "POST /api/orders": {"ticketID": "{ticket}"},
    "POST /api/payments": {"orderId": "{order}"},
}
SERVER_SIDE_FIELDS = [
    *("id", "userID", "userId", "sellerID", "version", "status", "createdAt", "expiresAt", "currency", "amount"),
    *("hold", "holdOrderID", "holdNumber", "soldAt", "withdrawn", "orderID", "stripeId", "captured", "clientSecret"),
    *("role", "isAdmin", "pk", "sk", "event", "ttl", "openPartition", "passwordHash", "token_", "__proto__", ""),
]

OPTIONAL = {("PUT /api/tickets/{id}", "version")}
VALUES: list[object] = ["x", 1, None, []]


def call(scenario: Scenario, route: str, **how: object) -> tuple[int, str]:
    """Return status and code of a call by a permitted caller."""
    method, path = route.split()
    by = scenario.seller if "ticket" in path else scenario.buyer
    where = path.replace("{id}", scenario.tickets["available"])
    answer = scenario.world.call(method, where, by=by, route=route, **how)  # type: ignore[arg-type]
    return answer.status, answer.code if answer.status >= 400 else ""


def good_body(scenario: Scenario, route: str) -> dict[str, object]:
    """Return a valid body."""
    ids = {"{ticket}": scenario.tickets["available"], "{order}": scenario.orders["ordered"]}
    return {name: ids.get(str(value), value) for name, value in BODIES[route].items()}


@pytest.mark.parametrize("route", BODIES)
def test_server_side_fields_cannot_be_sent(scenario: Scenario, route: str) -> None:
    before = scenario.state()
    for field in SERVER_SIDE_FIELDS:
        if (route, field) in OPTIONAL:
            continue
        for value in VALUES:
            body = {**good_body(scenario, route), field: value}
            assert call(scenario, route, body=body) == (400, "invalid_request"), field

    assert scenario.state() == before


@pytest.mark.parametrize("route", BODIES)
def test_a_body_over_64_kb_is_refused(scenario: Scenario, route: str) -> None:
    before = scenario.state()
    huge = '{"title": "' + "x" * 64 * 1024 + '"}'

    assert call(scenario, route, raw=huge) == (413, "body_too_large")
    assert call(scenario, route, raw="é" * 32 * 1024 + "!") == (413, "body_too_large"), "bytes, not characters"
    assert scenario.state() == before


BOMBS = {
    "deep arrays": "[" * 60_000,
    "deep and closed": "[" * 30_000 + "]" * 30_000,
    "deep objects": '{"title":' * 6_000 + "1" + "}" * 6_000,
    "deep in a field": '{"title": ' + "[" * 20_000 + "]" * 20_000 + "}",
    "a number of 60,000 digits": '{"price": ' + "9" * 60_000 + "}",
    "a number beyond all bounds": '{"price": 1e999999999}',
    "not a number": '{"price": NaN}',
    "infinity": '{"price": -Infinity}',
    "half a character": '{"title": "\\ud800", "price": "10.00"}',
    "two documents": '{"title": "a", "price": "1.00"}{"title": "b"}',
    "a byte order mark": '\ufeff{"title": "a", "price": "1.00"}',
    "a comment": '{"title": "a", /* b */ "price": "1.00"}',
    "many fields": "{" + ",".join(f'"f{number}": 1' for number in range(5_000)) + "}",
}


@pytest.mark.parametrize("route", BODIES)
def test_malicious_json_is_refused_as_invalid(scenario: Scenario, route: str) -> None:
    before = scenario.state()
    for name, bomb in BOMBS.items():
        assert call(scenario, route, raw=bomb) in ((400, "invalid_json"), (400, "invalid_request")), name

    assert scenario.state() == before


def test_malicious_json_does_not_crash_the_webhook(scenario: Scenario) -> None:
    """Neither with nor without a valid signature."""
    for name, bomb in BOMBS.items():
        unsigned = scenario.world.call("POST", "/api/payments/webhook", raw=bomb)
        assert (unsigned.status, unsigned.code) == (400, "bad_signature"), name
        assert deliver_webhook(scenario.world, None, raw=bomb).status == 400, name


@pytest.mark.parametrize("route", BODIES)
def test_an_error_about_many_fields_stays_small(scenario: Scenario, route: str) -> None:
    """An error response must not be many times as large as its request."""
    method, path = route.split()
    by = scenario.seller if "ticket" in path else scenario.buyer
    where = path.replace("{id}", scenario.tickets["available"])
    answer = scenario.world.call(method, where, by=by, route=route, raw=BOMBS["many fields"])

    assert answer.status == 400
    assert len(answer.text) < 4 * 1024


@pytest.mark.parametrize("route", BODIES)
def test_an_error_does_not_repeat_a_name_of_60_kb(scenario: Scenario, route: str) -> None:
    method, path = route.split()
    by = scenario.seller if "ticket" in path else scenario.buyer
    where = path.replace("{id}", scenario.tickets["available"])
    answer = scenario.world.call(method, where, {"f" * 60_000: 1}, by=by, route=route)

    assert answer.status == 400
    assert len(answer.text) < 2 * 1024


@pytest.mark.parametrize("route", BODIES)
def test_bytes_that_are_not_text_are_refused(scenario: Scenario, route: str) -> None:
    method, path = route.split()
    event = http_event(method, path.replace("{id}", scenario.tickets["available"]), {}, by=scenario.seller, route=route)
    event |= {"body": base64.b64encode(b'{"title": "\xff\xfe"}').decode(), "isBase64Encoded": True}
    service = path.split("/")[2].replace("users", "auth")

    assert scenario.world.invoke(f"{service}.api", event)["statusCode"] == 400
