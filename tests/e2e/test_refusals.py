"""Requests that the API refuses, as callers see it: through the edge proxy and the real authorizer."""

import http.client
import json
import secrets
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.api_client import Client
from tests.e2e.conftest import Marketplace, problem

_TICKET = b'{"title": "x", "price": "9.00"}'
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
def test_a_bad_token_is_refused(marketplace: Marketplace, method: str, path: str) -> None:
    stranger = replace(marketplace.anyone, token="not.a.token")
    problem(stranger.call(method, path, {} if method in {"POST", "PUT"} else None), 401)


@pytest.mark.parametrize(("method", "path"), _BY_USERS_ONLY)
def test_a_missing_token_is_refused(marketplace: Marketplace, method: str, path: str) -> None:
    assert marketplace.anyone.call(method, path, {} if method in {"POST", "PUT"} else None).status == 401


def test_a_known_browser_is_not_locked_out(marketplace: Marketplace) -> None:
    """The edge forwards the device cookie of a browser to Auth."""
    credentials = {"email": f"known-{secrets.token_hex(4)}@example.com", "password": "long-enough-1"}
    connection = http.client.HTTPConnection(urlsplit(marketplace.stack.url).netloc)
    connection.request("POST", "/api/users/signup", json.dumps(credentials), {"Content-Type": "application/json"})
    cookies = [cookie.partition(";")[0] for cookie in connection.getresponse().headers.get_all("Set-Cookie", [])]
    connection.close()
    guess = credentials | {"password": "wrong"}
    for _ in range(10):
        problem(marketplace.anyone.post("/api/users/signin", guess), 401)

    problem(marketplace.anyone.post("/api/users/signin", credentials), 429, "too_many_attempts")
    known = {"Cookie": "; ".join(cookie for cookie in cookies if "device" in cookie)}
    marketplace.anyone.call("POST", "/api/users/signin", credentials, headers=known).expect(200)


def test_the_apis_own_address_answers_health_checks_only(marketplace: Marketplace) -> None:
    aws = marketplace.stack.aws
    gateway: Any = aws._session().client("apigatewayv2", endpoint_url=aws.url)
    [api] = gateway.get_apis()["Items"]
    direct, root = Client(aws.url), f"/_aws/execute-api/{api['ApiId']}/$default"

    assert problem(direct.get(f"{root}/api/tickets"), 403)["code"] == "not_through_edge"
    assert problem(direct.call("GET", f"{root}/api/tickets", headers={"X-Admit-One-Edge": "a guess"}), 403)
    assert direct.get(f"{root}/api/health").status == 200


def _cookie_of(marketplace: Marketplace, name: str) -> tuple[str, list[str]]:
    """The session cookie of a new user, and its attributes."""
    credentials = {"email": f"{name}-{secrets.token_hex(4)}@example.com", "password": "long-enough-1"}
    signed_up = marketplace.anyone.post("/api/users/signup", credentials)
    signed_up.expect(201)
    cookie, *attributes = signed_up.headers["set-cookie"].split("; ")
    return cookie, attributes


def _email(marketplace: Marketplace, cookie: str) -> str | None:
    """The e-mail address of the user that the API sees for these cookies."""
    answer = marketplace.anyone.call("GET", "/api/users/currentuser", headers={"Cookie": cookie}).expect(200)
    return str(answer["currentUser"]["email"]) if answer["currentUser"] else None


def test_a_user_sells_only_after_verifying_the_address(marketplace: Marketplace) -> None:
    email, password = f"new-{secrets.token_hex(4)}@example.com", secrets.token_hex(8)
    ticket = {"title": "Front row", "price": "45.00"}
    signed_up = marketplace.anyone.post("/api/users/signup", {"email": email, "password": password}).expect(201)
    unverified = replace(marketplace.anyone, token=signed_up["token"])
    assert problem(unverified.post("/api/tickets", ticket), 403)["code"] == "email_not_verified"

    verified = marketplace.anyone.sign_up_or_in(email, password)
    assert verified.get("/api/users/currentuser").expect(200)["currentUser"]["emailVerified"]
    assert verified.post("/api/tickets", ticket).status == 201


def test_the_session_cookie_signs_in_like_the_token(marketplace: Marketplace) -> None:
    cookie, attributes = _cookie_of(marketplace, "cookie")
    assert cookie.startswith("admit-one=")
    # No Secure: Safari refuses Secure cookies over plain http, on 127.0.0.1 too.
    assert set(attributes) == {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"}
    assert marketplace.anyone.call("GET", "/api/tickets/mine", headers={"Cookie": cookie}).status == 200
    assert str(_email(marketplace, cookie)).startswith("cookie-")
    assert marketplace.anyone.get("/api/users/currentuser").expect(200) == {"currentUser": None}
    marketplace.anyone.call("POST", "/api/users/signout", {}).expect(204)


def test_planted_cookies_do_not_change_the_session(marketplace: Marketplace) -> None:
    """Cookies set by other sites do not sign a user out, or in as another user."""
    mine, _ = _cookie_of(marketplace, "mine")
    other, _ = _cookie_of(marketplace, "other")
    token, others_token = mine.partition("=")[2], other.partition("=")[2]
    flood = "; ".join(f"junk{number}={'x' * 100}" for number in range(200))
    for cookies in (
        f"session=abc.def.ghi; {mine}",
        f"session={others_token}; {mine}",
        f"session=abc.def.ghi; session={token}",
        "; ".join(f"session={number}.b.c" for number in range(50)) + f"; {mine}",
        f"{flood}; {mine}; {flood}",
    ):
        assert str(_email(marketplace, cookies)).startswith("mine-"), cookies[:100]
        # The other services use the authorizer.
        assert marketplace.anyone.call("GET", "/api/orders", headers={"Cookie": cookies}).status == 200, cookies[:100]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "multipart/form-data; boundary=x"},
    ],
)
def test_an_empty_cross_site_form_does_not_sign_out(marketplace: Marketplace, headers: dict[str, str]) -> None:
    answer = marketplace.anyone.call("POST", "/api/users/signout", raw=b"", headers=headers)
    problem(answer, 415)
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"}]
)
@pytest.mark.parametrize("path", ["/api/users/signout", "/api/users/signin"])
def test_cross_site_requests_do_not_sign_in_or_out(
    marketplace: Marketplace, path: str, headers: dict[str, str]
) -> None:
    body = {"email": "nobody@example.com", "password": "long-enough-1"}
    answer = marketplace.anyone.call("POST", path, body, headers=headers)
    problem(answer, 403, "cross_site_request")
    assert "set-cookie" not in answer.headers


def test_the_client_can_sign_out_with_any_origin_headers(marketplace: Marketplace) -> None:
    address = urlsplit(marketplace.anyone.url)
    for host in (address.netloc, f"localhost:{address.port}"):
        for headers in ({"Origin": f"http://{host}"}, {"Sec-Fetch-Site": "same-origin", "Origin": f"http://{host}"}):
            sent = {"Host": host, **headers}
            assert marketplace.anyone.call("POST", "/api/users/signout", headers=sent).status == 204, sent


def test_a_password_matches_in_any_unicode_form(marketplace: Marketplace) -> None:
    for number, (first, second) in enumerate(
        [("p\u00e4sswort1", "pa\u0308sswort1"), ("pa\u0308ss wort1", "p\u00e4ss\u00a0wort1")]
    ):
        email = f"spelled-{number}-{secrets.token_hex(4)}@example.com"
        marketplace.anyone.post("/api/users/signup", {"email": email, "password": first}).expect(201)
        marketplace.anyone.post("/api/users/signin", {"email": email, "password": second}).expect(200)


@pytest.mark.parametrize("path", ["/api/health", "/api/tickets", "/api/users/currentuser"])
def test_public_routes_answer_head(marketplace: Marketplace, path: str) -> None:
    answer = marketplace.anyone.call("HEAD", path)
    assert (answer.status, answer.body) == (200, None)
    assert answer.headers["content-type"] == "application/json"


def test_head_of_a_user_route_needs_a_token(marketplace: Marketplace, seller: Client) -> None:
    assert marketplace.anyone.call("HEAD", "/api/orders").status == 401
    assert seller.call("HEAD", "/api/orders").status == 200


@pytest.mark.parametrize(
    ("raw", "headers", "status", "code"),
    [
        (b'{"title": "x", "price": "9.00", "price": "1.00"}', {}, 400, "invalid_json"),
        (b'{"title": "x", "price": "9.00"}', {"Content-Type": "application/json; charset=utf-16"}, 415, None),
        (
            b'{"title": "x", "price": "9.00"}',
            {"Content-Type": "application/json", "Content-Encoding": "gzip"},
            415,
            None,
        ),
        (b'{"title": "x", "price": "9.00"}', {"Idempotency-Key": "a,b"}, 400, "invalid_request"),
        (b'\xef\xbb\xbf{"title": "x", "price": "9.00"}', {}, 400, "invalid_json"),
    ],
)
def test_an_ambiguous_write_is_refused(
    seller: Client, raw: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    problem(seller.call("POST", "/api/tickets", raw=raw, headers=headers), status, code)
    assert seller.get("/api/tickets/mine").expect(200)["tickets"] == []


def test_an_email_is_unique_and_its_password_is_checked(marketplace: Marketplace) -> None:
    credentials = {"email": "Once@Example.com", "password": "long-enough-1"}
    marketplace.anyone.post("/api/users/signup", credentials).expect(201)
    problem(
        marketplace.anyone.post("/api/users/signup", {**credentials, "email": "once@example.com"}), 409, "email_in_use"
    )
    marketplace.anyone.post("/api/users/signin", {**credentials, "email": "ONCE@example.com"}).expect(200)
    wrong = marketplace.anyone.post("/api/users/signin", {**credentials, "password": "wrong-password"})
    unknown = marketplace.anyone.post("/api/users/signin", {**credentials, "email": "nobody@example.com"})
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
def test_an_invalid_ticket_names_its_field(seller: Client, body: object, field: str) -> None:
    document = problem(seller.post("/api/tickets", body), 400)
    assert field in {error.get("field") for error in document["errors"]}


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"null", b"[]", b'"x"', b"NaN", b'{"price": NaN, "title": "x"}', b"\xff\xfe", b'{"a":' * 5000]
)
def test_a_body_that_is_no_json_object_is_a_bad_request(seller: Client, raw: bytes) -> None:
    problem(seller.call("POST", "/api/tickets", raw=raw), 400)


def test_other_content_types_are_refused(seller: Client) -> None:
    body = json.dumps({"title": "x", "price": "1.00"}).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        problem(seller.call("POST", "/api/tickets", raw=body, headers={"Content-Type": kind}), 415)


def test_a_body_that_is_too_large_is_refused(seller: Client) -> None:
    problem(seller.post("/api/tickets", {"title": "x" * 1_000_000, "price": "1.00"}), 413)
    assert seller.call("POST", "/api/tickets", raw=b"x" * 11_000_000).status == 413


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=101", "limit=x", "limit=-1", "limit=1.5", "cursor=bm9wZQ", "cursor=%00"),
        *("limit=5.0", "limit=+5", "limit=%2B5", "limit=05", "limit=%205", "limit=5&limit=5", "limit=5,6"),
    ],
)
def test_an_invalid_page_is_a_bad_request(marketplace: Marketplace, seller: Client, query: str) -> None:
    for caller, path in ((marketplace.anyone, "/api/tickets"), (seller, "/api/tickets/mine"), (seller, "/api/orders")):
        problem(caller.get(f"{path}?{query}"), 400)


@pytest.mark.parametrize("identity", ["nope", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "%00", "..%2f..", "x" * 500])
def test_an_unknown_object_is_not_found(seller: Client, identity: str) -> None:
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
def test_an_invalid_order_is_a_bad_request(alice: Client, body: object) -> None:
    problem(alice.post("/api/orders", body), 400)


@pytest.mark.parametrize("signature", [None, "", "t=1,v1=00", "nonsense"])
def test_a_webhook_without_stripes_signature_is_refused(marketplace: Marketplace, signature: str | None) -> None:
    headers = {} if signature is None else {"Stripe-Signature": signature}
    body = {"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {}}}
    assert marketplace.anyone.call("POST", "/api/payments/webhook", body, headers=headers).status == 400


def test_only_the_buyer_can_pay(marketplace: Marketplace, seller: Client, alice: Client, bob: Client) -> None:
    order = marketplace.order(alice, marketplace.sell(seller))
    marketplace.pay(alice, order, "tok_chargeDeclined")
    problem(bob.post("/api/payments", {"orderId": order["id"], "token": "tok_visa"}), 404)
    problem(bob.delete(f"/api/orders/{order['id']}"), 404)


def test_health_answers(marketplace: Marketplace) -> None:
    assert marketplace.anyone.get("/api/health").status == 200


def test_an_unknown_route_is_not_found(marketplace: Marketplace) -> None:
    assert marketplace.anyone.get("/api/nothing/here").status == 404
