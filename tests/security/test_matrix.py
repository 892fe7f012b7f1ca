"""Every route, called without a user and by users without access: the expected responses.

test_tokens.py covers forged tokens on each route; tests/integration covers the permitted user.
"""

import json
from dataclasses import dataclass

import pytest

from tests.security.scenario import Scenario
from tests.support.lambda_events import Person
from tests.support.routes import PUBLIC, SIGNED_IN
from tests.support.world import Response, World

SIGN_IN = "401 unauthenticated"
NO_ORDER = "404 order_not_found"
REASON = {"reason": "It is cancelled"}


@dataclass(frozen=True)
class AccessCase:
    """One call, and the expected response for no user, a stranger and the other party to the sale (`party`).

    `{available}` and so on stand for ids of tickets, `{order:sold}` for those of orders.
    """

    route: str
    path: str
    nobody: str
    stranger: str
    party: str
    body: object = None


def ticket_writes(status: str) -> list[AccessCase]:
    """Calls that change another user's ticket: all are refused, and no response shows the ticket's state."""
    refused = (SIGN_IN, "403 not_your_ticket", "403 not_your_ticket")
    new = {"title": "mine now", "price": "1.00"}
    return [
        AccessCase("PUT /api/tickets/{id}", f"/api/tickets/{{{status}}}", *refused, body=new),
        AccessCase("DELETE /api/tickets/{id}", f"/api/tickets/{{{status}}}", *refused),
        AccessCase("POST /api/tickets/{id}/relist", f"/api/tickets/{{{status}}}/relist", *refused),
    ]


def refund(status: str, party: str) -> AccessCase:
    """The call by which the seller refunds an order."""
    path = f"/api/orders/{{order:{status}}}/refund"
    return AccessCase("POST /api/orders/{id}/refund", path, SIGN_IN, NO_ORDER, party, REASON)


def order_calls(status: str) -> list[AccessCase]:
    """Calls on another user's order: it is not found, not even by the seller of its ticket."""
    hidden = (SIGN_IN, NO_ORDER, NO_ORDER)
    order = f"{{order:{status}}}"
    return [
        AccessCase("GET /api/orders/{id}", f"/api/orders/{order}", *hidden),
        AccessCase("DELETE /api/orders/{id}", f"/api/orders/{order}", *hidden),
        AccessCase("GET /api/payments/{orderId}", f"/api/payments/{order}", *hidden),
        AccessCase("POST /api/orders/{id}/refund-request", f"/api/orders/{order}/refund-request", *hidden, REASON),
        AccessCase("POST /api/payments", "/api/payments", *hidden, body={"orderId": order}),
        AccessCase("POST /api/payments", "/api/payments", *hidden, body={"orderId": order, "token": "tok_visa"}),
    ]


def public(route: str, answer: str, *, path: str | None = None, body: object = None) -> AccessCase:
    """A call with the same response for everybody."""
    return AccessCase(route, path or route.split()[1], answer, answer, answer, body)


NEW_USER = {"email": "new@example.com", "password": "correct horse"}
WEBHOOK = {"type": "payment_intent.succeeded", "data": {"object": {"object": "payment_intent", "id": "pi_1"}}}
TICKET = {"title": "Row 1", "price": "10"}

WRONG = "403 wrong_password"
NEW_EMAIL = {"email": "new@example.com", "password": "a guess"}
NEW_PASSWORD = {"current": "a guess", "new": "battery staple"}
COUNTED = ("POST /api/users/signin", "PUT /api/users/email", "PUT /api/users/password", "DELETE /api/users/me")
"""Routes that count wrong passwords."""
EXPORT = "GET /api/users/me/export"
NO_ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

MATRIX = [
    public("POST /api/users/signup", "201", body=NEW_USER),
    public("POST /api/users/signin", "401 bad_credentials", body=NEW_USER),
    public("POST /api/users/signout", "204"),
    public("GET /api/users/currentuser", "200"),
    public("POST /api/users/email/verify", "410 link_expired", body={"token": "x"}),
    public("POST /api/users/password/forgot", "202", body={"email": "new@example.com"}),
    public("POST /api/users/password/reset", "410 link_expired", body={"token": "x", "password": "correct horse"}),
    public("GET /api/health", "200"),
    public("GET /api/tickets", "200"),
    *(public("GET /api/tickets/{id}", "200", path=f"/api/tickets/{{{name}}}") for name in ("available", "sold")),
    public("GET /api/fee", "200"),
    public("POST /api/payments/webhook", "400 bad_signature", body=WEBHOOK),
    public("POST /api/payouts/webhook", "400 bad_signature", body=WEBHOOK),
    AccessCase("GET /api/users/sessions", "/api/users/sessions", SIGN_IN, "200", "200"),
    AccessCase("DELETE /api/users/sessions", "/api/users/sessions", SIGN_IN, "204", "204"),
    AccessCase("DELETE /api/users/sessions/{id}", f"/api/users/sessions/{NO_ID}", SIGN_IN, "204", "204"),
    AccessCase("POST /api/users/email/verification", "/api/users/email/verification", SIGN_IN, "204", "204"),
    AccessCase("PUT /api/users/email", "/api/users/email", SIGN_IN, WRONG, WRONG, NEW_EMAIL),
    AccessCase("PUT /api/users/password", "/api/users/password", SIGN_IN, WRONG, WRONG, NEW_PASSWORD),
    AccessCase(EXPORT, "/api/users/me/export", SIGN_IN, "200", "200"),
    AccessCase("DELETE /api/users/me", "/api/users/me", SIGN_IN, WRONG, WRONG, {"password": "a guess"}),
    AccessCase("GET /api/tickets/mine", "/api/tickets/mine", SIGN_IN, "200", "200"),
    AccessCase("POST /api/tickets", "/api/tickets", SIGN_IN, "201", "201", body=TICKET),
    AccessCase("GET /api/orders", "/api/orders", SIGN_IN, "200", "200"),
    AccessCase("POST /api/payouts/account", "/api/payouts/account", SIGN_IN, "200", "200"),
    AccessCase("GET /api/payouts/account", "/api/payouts/account", SIGN_IN, "200", "200"),
    AccessCase("GET /api/payouts", "/api/payouts", SIGN_IN, "200", "200"),
    AccessCase("GET /api/payouts/export", "/api/payouts/export?from=2026-11-01&to=2026-11-30", SIGN_IN, "200", "200"),
    *(call for status in ("available", "ordered", "sold", "withdrawn", "refunded") for call in ticket_writes(status)),
    *(
        AccessCase(
            "POST /api/orders", "/api/orders", SIGN_IN, answer, "403 own_ticket", body={"ticketID": f"{{{status}}}"}
        )
        for status, answer in {
            "available": "201",
            "ordered": "409 ticket_held",
            "sold": "409 ticket_sold",
            "withdrawn": "409 ticket_withdrawn",
            "refunded": "409 ticket_withdrawn",
        }.items()
    ),
    *(call for status in ("ordered", "paying", "sold", "cancelled", "refunded") for call in order_calls(status)),
    *(refund(status, NO_ORDER) for status in ("ordered", "paying", "cancelled")),
    refund("sold", "202"),
    refund("refunded", "409 order_refunded"),
]
CASES = [(call, who) for call in MATRIX for who in ("nobody", "stranger", "party")]


def make(call: AccessCase, scenario: Scenario, by: Person | None) -> Response:
    """Make the call."""
    method, _ = call.route.split()
    ids = {f"{{{name}}}": ident for name, ident in scenario.tickets.items()}
    ids |= {f"{{order:{name}}}": ident for name, ident in scenario.orders.items()}
    path = call.path
    body = json.dumps(call.body)
    for name, ident in ids.items():
        path = path.replace(name, ident)
        body = body.replace(name, ident)
    return scenario.world.call(method, path, raw=body if call.body else None, by=by, route=call.route)


def test_every_route_is_in_the_matrix() -> None:
    assert {call.route for call in MATRIX} == {*PUBLIC, *SIGNED_IN}


@pytest.mark.parametrize(("call", "who"), CASES, ids=[f"{call.route} {call.path} {who}" for call, who in CASES])
def test_callers_without_access_get_the_expected_response(scenario: Scenario, call: AccessCase, who: str) -> None:
    """The response holds no data of other users, and the call changes nothing."""
    party = scenario.buyer if "ticket" in call.path else scenario.seller
    before = scenario.state()
    answer = make(call, scenario, {"nobody": None, "stranger": scenario.stranger, "party": party}[who])

    response = f"{answer.status} {answer.code}" if answer.status >= 400 else f"{answer.status}"
    assert response == getattr(call, who)
    if answer.status >= 400 and call.route not in COUNTED:
        assert scenario.state() == before
    own: set[str] = {scenario.buyer.id}
    if call.route == EXPORT:  # the seller's address, and the orders that hold their tickets
        own = {*scenario.orders.values(), scenario.seller.email}
    if call.route in ("GET /api/payouts", "GET /api/payouts/export"):  # the orders of the seller's tickets
        own = {*scenario.orders.values()}
    if call.route == "POST /api/orders/{id}/refund":  # the seller's ticket shows the order
        own = {scenario.orders["sold"]}
    for secret in (*scenario.orders.values(), scenario.buyer.id, scenario.buyer.email, scenario.seller.email, "pi_"):
        if who != "party" or secret not in own:
            assert secret not in answer.text


@pytest.mark.parametrize("route", SIGNED_IN)
def test_no_header_replaces_the_authorizers_user(world: World, route: str) -> None:
    """Only the authorizer's answer counts; the edge converts a cookie to a header, nothing else does."""
    method, path = route.split()
    for headers in (
        {"Cookie": "__Host-admit-one=token; admit-one=token; session=token"},
        {"X-User-Id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"},
        {"userID": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "email": "a@example.com"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-HTTP-Method-Override": "GET"},
    ):
        body: dict[str, str] | None = {} if method in ("POST", "PUT") else None
        answer = world.call(method, path, body, route=route, headers=headers)
        assert (answer.status, answer.code) == (401, "unauthenticated"), headers


@pytest.mark.parametrize("path", ["/api/orders/{}", "/api/payments/{}"])
def test_an_order_of_another_user_looks_like_an_unknown_one(scenario: Scenario, path: str) -> None:
    scenario.world.time.advance(minutes=2)
    theirs = scenario.world.call("GET", path.format(scenario.orders["sold"]), by=scenario.stranger)
    none = scenario.world.call("GET", path.format("01ARZ3NDEKTSV4RRFFQ69G5FAV"), by=scenario.stranger)

    assert theirs.headers == none.headers
    assert {**theirs.json, "requestId": ""} == {**none.json, "requestId": ""}
