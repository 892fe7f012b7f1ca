"""What the API does not let in, as callers see it: through the front door and the real authorizer."""

import json
from dataclasses import replace

import pytest

from local.api import Api
from tests.e2e.conftest import Market, problem

_BY_USERS_ONLY = [
    ("POST", "/api/tickets"),
    ("GET", "/api/tickets/mine"),
    ("PUT", "/api/tickets/01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    ("DELETE", "/api/tickets/01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    ("POST", "/api/orders"),
    ("GET", "/api/orders"),
    ("GET", "/api/orders/01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    ("DELETE", "/api/orders/01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    ("POST", "/api/payments"),
    ("GET", "/api/payments/01ARZ3NDEKTSV4RRFFQ69G5FAV"),
]


@pytest.mark.parametrize(("method", "path"), _BY_USERS_ONLY)
def test_a_bad_token_is_not_signed_in(market: Market, method: str, path: str) -> None:
    stranger = replace(market.anyone, token="not.a.token")
    problem(stranger.call(method, path, {} if method in {"POST", "PUT"} else None), 401)


@pytest.mark.parametrize(("method", "path"), _BY_USERS_ONLY)
def test_no_token_is_not_signed_in(market: Market, method: str, path: str) -> None:
    assert market.anyone.call(method, path, {} if method in {"POST", "PUT"} else None).status == 401


def test_the_session_cookie_signs_in_as_the_token_does(market: Market) -> None:
    credentials = {"email": "cookie@example.com", "password": "long-enough-1"}
    signed_up = market.anyone.post("/api/users/signup", credentials)
    signed_up.expect(201)
    cookie, *attributes = signed_up.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(attributes)
    assert market.anyone.call("GET", "/api/tickets/mine", headers={"Cookie": cookie}).status == 200
    current = market.anyone.call("GET", "/api/users/currentuser", headers={"Cookie": cookie}).expect(200)
    assert current["currentUser"]["email"] == "cookie@example.com"
    assert market.anyone.get("/api/users/currentuser").expect(200) == {"currentUser": None}
    market.anyone.call("POST", "/api/users/signout", {}).expect(204)


def test_an_email_is_used_once_and_its_password_is_checked(market: Market) -> None:
    credentials = {"email": "Once@Example.com", "password": "long-enough-1"}
    market.anyone.post("/api/users/signup", credentials).expect(201)
    problem(market.anyone.post("/api/users/signup", {**credentials, "email": "once@example.com"}), 409, "email_in_use")
    market.anyone.post("/api/users/signin", {**credentials, "email": "ONCE@example.com"}).expect(200)
    wrong = market.anyone.post("/api/users/signin", {**credentials, "password": "wrong-password"})
    unknown = market.anyone.post("/api/users/signin", {**credentials, "email": "nobody@example.com"})
    assert problem(wrong, 401)["detail"] == problem(unknown, 401)["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": "x"}, "price"),
        ({"price": "1.00"}, "title"),
        ({"title": "", "price": "1.00"}, "title"),
        ({"title": "   ", "price": "1.00"}, "title"),
        ({"title": "x" * 201, "price": "1.00"}, "title"),
        ({"title": "x\u0000y", "price": "1.00"}, "title"),
        ({"title": ["x"], "price": "1.00"}, "title"),
        ({"title": "x", "price": 1}, "price"),
        ({"title": "x", "price": "1e3"}, "price"),
        ({"title": "x", "price": "-1.00"}, "price"),
        ({"title": "x", "price": "1_0"}, "price"),
        ({"title": "x", "price": "0.001"}, "price"),
        ({"title": "x", "price": "0.49"}, "price"),
        ({"title": "x", "price": "1000000.00"}, "price"),
        ({"title": "x", "price": "NaN"}, "price"),
        ({"title": "x", "price": "\u0661"}, "price"),
        ({"title": "x", "price": None}, "price"),
        ({"title": "x", "price": "1.00", "userID": "me"}, "userID"),
    ],
)
def test_a_ticket_that_does_not_fit_names_its_field(seller: Api, body: object, field: str) -> None:
    document = problem(seller.post("/api/tickets", body), 400)
    assert field in {error.get("field") for error in document["errors"]}


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"null", b"[]", b'"x"', b"NaN", b'{"price": NaN, "title": "x"}', b"\xff\xfe", b'{"a":' * 5000]
)
def test_a_body_that_is_no_json_object_is_a_bad_request(seller: Api, raw: bytes) -> None:
    problem(seller.call("POST", "/api/tickets", raw=raw), 400)


def test_other_content_types_are_refused(seller: Api) -> None:
    body = json.dumps({"title": "x", "price": "1.00"}).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        problem(seller.call("POST", "/api/tickets", raw=body, headers={"Content-Type": kind}), 415)


def test_a_body_that_is_too_large_is_refused_by_whoever_sees_it_first(seller: Api) -> None:
    problem(seller.post("/api/tickets", {"title": "x" * 1_000_000, "price": "1.00"}), 413)
    assert seller.call("POST", "/api/tickets", raw=b"x" * 11_000_000).status == 413


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "limit=-1", "limit=1.5", "cursor=bm9wZQ", "cursor=%00"]
)
def test_a_page_that_we_did_not_offer_is_a_bad_request(market: Market, seller: Api, query: str) -> None:
    for caller, path in ((market.anyone, "/api/tickets"), (seller, "/api/tickets/mine"), (seller, "/api/orders")):
        problem(caller.get(f"{path}?{query}"), 400)


@pytest.mark.parametrize("identity", ["nope", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "%00", "..%2f..", "x" * 500])
def test_what_is_not_there_is_not_found(seller: Api, identity: str) -> None:
    for path in (f"/api/tickets/{identity}", f"/api/orders/{identity}", f"/api/payments/{identity}"):
        assert seller.get(path).status == 404, path


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ticketID": "a", "ticketId": "a"},
        {"ticketID": 5},
        {"ticketID": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "price": 5},
        {"ticketID": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "price": "five"},
        {"ticketID": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "userID": "x"},
    ],
)
def test_an_order_that_does_not_fit_is_a_bad_request(alice: Api, body: object) -> None:
    problem(alice.post("/api/orders", body), 400)


@pytest.mark.parametrize("signature", [None, "", "t=1,v1=00", "nonsense"])
def test_a_webhook_without_stripes_signature_is_refused(market: Market, signature: str | None) -> None:
    headers = {} if signature is None else {"Stripe-Signature": signature}
    body = {"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {}}}
    assert market.anyone.call("POST", "/api/payments/webhook", body, headers=headers).status == 400


def test_nobody_pays_for_another(market: Market, seller: Api, alice: Api, bob: Api) -> None:
    order = market.order(alice, market.sell(seller))
    market.pay(alice, order, "tok_chargeDeclined")
    problem(bob.post("/api/payments", {"orderId": order["id"], "token": "tok_visa"}), 404)
    problem(bob.delete(f"/api/orders/{order['id']}"), 404)


def test_health_answers(market: Market) -> None:
    assert market.anyone.get("/api/health").status == 200


def test_what_is_no_route_is_not_found(market: Market) -> None:
    assert market.anyone.get("/api/nothing/here").status == 404
