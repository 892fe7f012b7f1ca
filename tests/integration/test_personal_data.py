"""Exporting what the services keep about a user, and deleting their account."""

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import EndpointConnectionError

from functions.auth import account_closing, export, passwords
from functions.auth.account_closing import QUIET
from functions.auth.other_services import ServiceUnavailable, ask
from functions.auth.rate_limit import PASSWORD_LIMIT
from functions.auth.store import UserStore
from functions.tickets import personal_data
from shared.ids import UserID, new_id
from shared.table import Table
from tests.support.lambda_events import LambdaContext, Person, new_event
from tests.support.ses import Ses
from tests.support.signing_key import SigningKey
from tests.support.stripe_in_process import Stripe
from tests.support.tokens import EMAIL, authorize, sign_up
from tests.support.world import Response, World

PASSWORD = "correct horse"
BUYER = "buyer@example.com"
KINDS = {
    "auth": {
        "user": "account",
        "email": "account",
        "mail": "which mail was sent, without address or content; expires after 60 days",
        "attempts": "numbers under digests; expire after two hours",
    },
    "tickets": {"ticket": "tickets", "idempotency": "repeats a response for 24 hours"},
    "orders": {
        "order": "orders",
        "holds": "recentHolds",
        "sale": "the ids of buyer and seller of an order, which `orders` has",
        "ticket": "a copy of what `tickets` shows",
        "idempotency": "repeats a response for 24 hours",
    },
    "payments": {
        "order": "payments",
        "declines": "declinedCards",
        "idempotency": "repeats a response for 24 hours",
        "reconciler": "how far the reconciler has read the log of Stripe; of no user",
        "earning": "what `GET /api/payouts` shows its seller",
        "seller": "the totals that `GET /api/payouts` shows",
        "payout-finder": "how far the payout finder has queued; of no user",
    },
}
"""Each kind of stored item by table, and where the export has it, or why it does not."""


@pytest.fixture(autouse=True)
def _auth(world: World, ses: Ses, monkeypatch: pytest.MonkeyPatch) -> None:
    world.ses = ses
    monkeypatch.setattr(passwords, "hash_password", lambda password: f"hash of {password}")
    monkeypatch.setattr(passwords, "is_password", lambda password, known: known == f"hash of {password}")
    SigningKey(monkeypatch)


def join(world: World, email: str = EMAIL) -> Person:
    """Sign up, and return the caller with their session."""
    context = authorize(world, f"Bearer {sign_up(world, email)['token']}")["context"]
    return Person(UserID(context["userID"]), context["email"], context["sessionID"])


@pytest.fixture
def seller(world: World) -> Person:
    return join(world)


@pytest.fixture
def buyer(world: World) -> Person:
    return join(world, BUYER)


def sell(world: World, seller: Person) -> str:
    ident = world.call("POST", "/api/tickets", {"title": "A seat", "price": "12.50"}, by=seller).json["id"]
    world.settle(without=("expiration",))
    return str(ident)


def place(world: World, ticket_id: str, buyer: Person) -> str:
    answer = world.call("POST", "/api/orders", {"ticketID": ticket_id}, by=buyer)
    assert answer.status == 201
    world.settle(without=("expiration",))
    return str(answer.json["id"])


def pay(world: World, order_id: str, buyer: Person, stripe: Stripe) -> None:
    assert world.call("POST", "/api/payments", {"orderId": order_id, "token": "tok_visa"}, by=buyer).status == 201
    stripe.webhooks(world)
    world.settle(without=("expiration",))


def get_export(world: World, by: Person, cursor: str | None = None) -> Response:
    return world.call("GET", "/api/users/me/export" + (f"?cursor={cursor}" if cursor else ""), by=by)


def delete(world: World, by: Person, password: str = PASSWORD) -> Response:
    return world.call("DELETE", "/api/users/me", {"password": password}, by=by)


def erase(world: World, *, remaining_seconds: float = 240) -> None:
    """Let the eraser run when it may, and deliver what follows."""
    world.time.advance(seconds=QUIET.total_seconds() + 1)
    world.invoke("auth.eraser", {}, context=LambdaContext(remaining_seconds))
    world.settle(without=("expiration",))


def kept(world: World, by: Person) -> set[str]:
    """Return the user's keys in Auth, without counters and mails."""
    return {item["pk"] for item in world.items("auth") if item["pk"] in (f"user#{by.id}", f"email#{by.email}")}


def refused(answer: Response) -> tuple[int, str]:
    return answer.status, answer.code


# Export


def test_the_export_has_what_all_services_keep(world: World, seller: Person, buyer: Person, stripe: Stripe) -> None:
    order_id = place(world, sell(world, seller), buyer)
    pay(world, order_id, buyer, stripe)

    of_seller, of_buyer = get_export(world, seller).json, get_export(world, buyer).json

    assert of_seller["account"]["email"] == EMAIL
    assert [each["current"] for each in of_seller["account"]["sessions"]] == [True]
    [ticket] = of_seller["tickets"]
    assert (ticket["status"], ticket["orderID"]) == ("sold", order_id)
    assert (of_seller["orders"], of_seller["payments"], of_seller["nextCursor"]) == ([], [], None)
    assert of_buyer["tickets"] == []
    assert [order["id"] for order in of_buyer["orders"]] == [order_id]
    assert [hold["ticketID"] for hold in of_buyer["recentHolds"]] == [ticket["id"]]
    [payment] = of_buyer["payments"]
    assert (payment["orderId"], payment["status"], payment["amount"]) == (order_id, "captured", 1250)
    assert payment["stripeId"].startswith("pi_")
    assert "clientSecret" not in payment


def test_the_export_names_no_other_user(world: World, seller: Person, buyer: Person) -> None:
    place(world, sell(world, seller), buyer)
    of_seller, of_buyer = get_export(world, seller).text, get_export(world, buyer).text
    assert buyer.id not in of_seller
    assert BUYER not in of_seller
    assert seller.id not in of_buyer
    assert EMAIL not in of_buyer


def test_the_export_has_a_pending_address_and_a_suppressed_one(world: World, seller: Person) -> None:
    body = {"email": "new@example.com", "password": PASSWORD}
    assert world.call("PUT", "/api/users/email", body, by=seller).status == 202
    world.perform_tasks()
    account = get_export(world, seller).json["account"]
    assert ("change_email", "new@example.com") in [(each["purpose"], each["email"]) for each in account["links"]]
    assert account["suppressedEmail"] is None
    assert not any(set(each) - {"purpose", "email", "expiresAt"} for each in account["links"]), "no digests"


def test_a_long_export_has_several_pages(
    world: World, seller: Person, buyer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PAGE", 2)
    sold = [sell(world, seller) for _ in range(3)]
    others = [sell(world, buyer) for _ in range(3)]
    for ticket_id in others:
        place(world, ticket_id, seller)
    tickets, orders, accounts, cursor = [], [], [], None
    for _ in range(3):
        page = get_export(world, seller, cursor).json
        tickets += [each["id"] for each in page["tickets"]]
        orders += [each["ticket"]["id"] for each in page["orders"]]
        accounts.append(page["account"] is not None)
        cursor = page["nextCursor"]
    assert (sorted(tickets), sorted(orders)) == (sorted(sold), sorted(others))
    assert (accounts, cursor) == ([True, False, False], None)


@pytest.mark.parametrize("cursor", ["x", "AAAA", new_id()])
def test_a_made_up_cursor_is_refused(world: World, seller: Person, cursor: str) -> None:
    assert refused(get_export(world, seller, cursor)) == (400, "invalid_request")


def test_payments_of_other_users_are_left_out(world: World, seller: Person, buyer: Person, stripe: Stripe) -> None:
    order_id = place(world, sell(world, seller), buyer)
    pay(world, order_id, buyer, stripe)
    question = {"operation": "export", "userID": seller.id, "orderIDs": [order_id]}
    assert world.invoke("payments.personal_data", question)["records"]["payments"] == []


def test_every_kind_of_stored_item_is_exported_or_has_a_reason(
    world: World, seller: Person, buyer: Person, stripe: Stripe
) -> None:
    """Fails for a new kind of item until it is in the export and in KINDS."""
    order_id = place(world, sell(world, seller), buyer)
    body = {"orderId": order_id, "token": "tok_chargeDeclined"}
    world.call("POST", "/api/payments", body, by=buyer)
    pay(world, order_id, buyer, stripe)
    world.call("POST", "/api/tickets", {"title": "B", "price": "1"}, by=seller, headers={"Idempotency-Key": "k"})
    world.call("POST", "/api/users/signin", {"email": EMAIL, "password": "a guess"})
    world.perform_tasks()
    for service, known in KINDS.items():
        stored = {(item.get("sk") or item["pk"]).partition("#")[0] for item in world.items(service)}
        assert stored <= set(known), service
    exported = get_export(world, buyer).json
    shown = {where for kinds in KINDS.values() for where in kinds.values() if " " not in where}
    assert shown == set(exported) - {"nextCursor"}
    assert exported["declinedCards"] == [{"date": "2026-11-23", "cards": 1}]


def test_addresses_are_stored_by_auth_only(world: World, seller: Person, buyer: Person, stripe: Stripe) -> None:
    pay(world, place(world, sell(world, seller), buyer), buyer, stripe)
    for service in ("tickets", "orders", "payments"):
        assert "@example.com" not in json.dumps(world.items(service), default=str)


# Deletion


def test_an_account_is_closed_at_once_and_erased_within_minutes(world: World, seller: Person) -> None:
    answer = delete(world, seller)
    assert answer.status == 202
    assert any("Max-Age=0" in cookie for cookie in answer.cookies)
    assert world.call("POST", "/api/users/signin", {"email": EMAIL, "password": PASSWORD}).status == 401
    assert kept(world, seller)

    erase(world)

    assert not kept(world, seller)
    assert sign_up(world)["id"] != seller.id, "the address is free"


def test_a_wrong_password_deletes_nothing_and_is_counted(world: World, seller: Person) -> None:
    for _ in range(PASSWORD_LIMIT):
        assert refused(delete(world, seller, "a guess")) == (403, "wrong_password")
    assert refused(delete(world, seller)) == (429, "too_many_attempts")
    assert world.call("POST", "/api/users/signin", {"email": EMAIL, "password": PASSWORD}).status == 200


def test_an_open_order_refuses_the_deletion(world: World, seller: Person, buyer: Person) -> None:
    order_id = place(world, sell(world, seller), buyer)
    assert refused(delete(world, buyer)) == (409, "order_open")
    world.call("DELETE", f"/api/orders/{order_id}", by=buyer)
    world.settle(without=("expiration",))
    assert delete(world, buyer).status == 202


def test_an_order_being_paid_refuses_the_deletion(world: World, seller: Person, buyer: Person) -> None:
    order_id = place(world, sell(world, seller), buyer)
    data = {"id": new_id(), "version": 1, "orderId": order_id, "userID": buyer.id, "stripeId": "pi_1"}
    assert world.deliver(new_event("payment:authorized", data), "orders")
    assert refused(delete(world, buyer)) == (409, "order_open")


def test_a_held_ticket_refuses_the_deletion(world: World, seller: Person, buyer: Person, stripe: Stripe) -> None:
    order_id = place(world, sell(world, seller), buyer)
    assert refused(delete(world, seller)) == (409, "ticket_held")
    pay(world, order_id, buyer, stripe)
    assert delete(world, seller).status == 202


def test_an_unsold_ticket_is_withdrawn_with_the_account(world: World, seller: Person, buyer: Person) -> None:
    ticket_id = sell(world, seller)
    assert delete(world, seller).status == 202
    erase(world)  # requests the withdrawal
    assert kept(world, seller)
    erase(world)
    assert not kept(world, seller)
    assert world.call("GET", f"/api/tickets/{ticket_id}").json["status"] == "withdrawn"
    answer = world.call("POST", "/api/orders", {"ticketID": ticket_id}, by=buyer)
    assert refused(answer) == (409, "ticket_withdrawn")


def test_the_books_keep_the_id_alone(world: World, seller: Person, buyer: Person, stripe: Stripe) -> None:
    pay(world, place(world, sell(world, seller), buyer), buyer, stripe)
    assert (delete(world, buyer).status, delete(world, seller).status) == (202, 202)
    erase(world)
    assert not kept(world, buyer) | kept(world, seller)
    assert "@example.com" not in json.dumps(world.items("auth"), default=str)
    assert any(item.get("userID") == buyer.id for item in world.items("orders"))


def test_an_order_after_the_deletion_is_awaited(
    world: World, seller: Person, buyer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """API Gateway accepts the token for half a minute more."""
    ticket_id = sell(world, seller)
    assert delete(world, buyer).status == 202
    order_id = place(world, ticket_id, buyer)
    erase(world)
    assert kept(world, buyer)
    world.time.advance(minutes=5)
    world.deliver(new_event("expiration:completed", {"orderId": order_id, "userID": buyer.id}), "orders")
    erase(world)
    assert not kept(world, buyer)


def test_a_ticket_that_is_held_after_the_deletion_is_awaited(world: World, seller: Person, buyer: Person) -> None:
    ticket_id = sell(world, seller)
    assert delete(world, seller).status == 202
    order_id = place(world, ticket_id, buyer)
    erase(world)
    assert kept(world, seller)
    world.call("DELETE", f"/api/orders/{order_id}", by=buyer)
    world.settle(without=("expiration",))
    for _ in range(2):
        erase(world)
    assert not kept(world, seller)


def test_a_declined_withdrawal_is_requested_anew(world: World, seller: Person, buyer: Person) -> None:
    """Orders repeats a decision about the same change, so each request is a new one."""
    ticket_id = sell(world, seller)
    assert delete(world, seller).status == 202
    order = world.call("POST", "/api/orders", {"ticketID": ticket_id}, by=buyer).json  # unknown to Tickets
    held = world.published()
    erase(world)
    [item] = world.items("tickets")
    assert [each["reason"] for each in item["decisions"].values()] == ["held"]
    for event in held:
        world.deliver(event, "tickets")
    world.call("DELETE", f"/api/orders/{order['id']}", by=buyer)
    world.settle(without=("expiration",))
    for _ in range(2):
        erase(world)
    assert not kept(world, seller)


def test_the_eraser_waits_until_no_token_is_accepted(world: World, seller: Person) -> None:
    assert delete(world, seller).status == 202
    world.time.advance(seconds=QUIET.total_seconds() - 1)
    world.invoke("auth.eraser", {})
    assert kept(world, seller)
    assert timedelta(seconds=60) < QUIET


@pytest.mark.parametrize("held", ["the oldest", "the newest"])
def test_everything_is_looked_at(
    world: World, seller: Person, buyer: Person, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    """Also what is beyond the pages that the request looks at."""
    monkeypatch.setattr(personal_data, "CHECKED", 1)
    monkeypatch.setattr(personal_data, "CLOSED", 1)
    tickets = [sell(world, seller) for _ in range(account_closing.CHECKED_PAGES + 1)]
    if held == "the oldest":
        order_id = place(world, tickets[0], buyer)
        assert delete(world, seller).status == 202
    else:
        assert delete(world, seller).status == 202
        order_id = place(world, tickets[-1], buyer)
    for _ in range(2):
        erase(world)
    assert kept(world, seller)
    world.call("DELETE", f"/api/orders/{order_id}", by=buyer)
    world.settle(without=("expiration",))
    for _ in range(2):
        erase(world)
    assert not kept(world, seller)


def test_the_eraser_ends_in_time(world: World, seller: Person) -> None:
    assert delete(world, seller).status == 202
    erase(world, remaining_seconds=1)
    assert kept(world, seller)
    assert account_closing.erase_account(UserStore(Table("auth")), seller.id, lambda: 0.0) is False
    erase(world)
    assert not kept(world, seller)


def test_a_repeated_deletion_is_accepted(world: World, seller: Person) -> None:
    assert [delete(world, seller).status for _ in range(2)] == [202, 202]
    erase(world)
    assert refused(delete(world, seller)) == (401, "unauthenticated")
    erase(world)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/api/users/password", {"current": PASSWORD, "new": "battery staple"}, 401),
        ("PUT", "/api/users/email", {"email": "new@example.com", "password": PASSWORD}, 401),
        ("POST", "/api/users/email/verification", None, 401),
        ("GET", "/api/users/me/export", None, 401),
        ("GET", "/api/users/sessions", None, 200),
        ("POST", "/api/users/password/forgot", {"email": EMAIL}, 202),
    ],
)
def test_a_closed_account_is_an_unknown_one(
    world: World, seller: Person, method: str, path: str, body: Any, status: int
) -> None:
    world.perform_tasks()
    assert delete(world, seller).status == 202
    before = [item for item in world.items("auth") if item["pk"] == f"user#{seller.id}"]
    mails = len(world.ses.calls)
    assert world.call(method, path, body, by=seller).status == status
    assert world.perform_tasks() == []
    assert len(world.ses.calls) == mails
    assert [item for item in world.items("auth") if item["pk"] == f"user#{seller.id}"] == before


@pytest.mark.parametrize("purpose", ["verify", "reset"])
def test_links_end_with_the_account(world: World, seller: Person, purpose: str) -> None:
    if purpose == "reset":
        world.call("POST", "/api/users/password/forgot", {"email": EMAIL})
    world.perform_tasks()
    token = world.ses.token(EMAIL)
    assert delete(world, seller).status == 202
    path = "/api/users/email/verify" if purpose == "verify" else "/api/users/password/reset"
    body = {"token": token} | ({"password": "battery staple"} if purpose == "reset" else {})
    assert refused(world.call("POST", path, body)) == (410, "link_expired")


def test_all_sessions_end_with_the_account(world: World, seller: Person) -> None:
    other = world.call("POST", "/api/users/signin", {"email": EMAIL, "password": PASSWORD}).json["token"]
    assert delete(world, seller).status == 202
    assert authorize(world, f"Bearer {other}")["context"] == {}
    [user] = [item for item in world.items("auth") if item["pk"] == f"user#{seller.id}"]
    assert (user["sessions"], user["links"]) == ({}, {})


def test_a_sign_in_during_the_deletion_fails(world: World, seller: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    check = passwords.is_password

    def check_slowly(password: str, known: str | None) -> bool:
        monkeypatch.setattr(passwords, "is_password", check)
        assert delete(world, seller).status == 202
        return check(password, known)

    monkeypatch.setattr(passwords, "is_password", check_slowly)
    answer = world.call("POST", "/api/users/signin", {"email": EMAIL, "password": PASSWORD})
    assert refused(answer) == (401, "bad_credentials")


@pytest.mark.parametrize("path", ["GET /api/users/me/export", "DELETE /api/users/me"])
def test_a_service_that_does_not_answer_changes_nothing(world: World, seller: Person, path: str) -> None:
    world.services.error = EndpointConnectionError(endpoint_url="lambda")
    method, _, route = path.partition(" ")
    answer = world.call(method, route, {"password": PASSWORD} if method == "DELETE" else None, by=seller)
    assert refused(answer) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "1"
    world.services.error = None
    assert delete(world, seller).status == 202


def test_a_function_that_fails_changes_nothing(world: World, seller: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(personal_data, "TicketStore", None)
    assert refused(delete(world, seller)) == (503, "unavailable")
    assert world.call("POST", "/api/users/signin", {"email": EMAIL, "password": PASSWORD}).status == 200


def test_one_account_that_fails_does_not_stop_the_others(
    world: World, seller: Person, buyer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:

    def fail(service: Any, operation: str, user_id: UserID, **details: object) -> dict[str, Any]:
        if user_id == seller.id:
            raise ServiceUnavailable(service)
        return ask(service, operation, user_id, **details)

    assert [delete(world, each).status for each in (seller, buyer)] == [202, 202]
    monkeypatch.setattr(account_closing, "ask", fail)
    erase(world)
    assert (bool(kept(world, seller)), bool(kept(world, buyer))) == (True, False)


def test_an_address_that_another_account_has_is_not_erased(
    world: World, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Erased twice at once: the address may be another account's by then."""
    assert delete(world, seller).status == 202
    make_call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def erase_first(client: BaseClient, operation: str, request: dict[str, Any]) -> Any:
        if operation == "TransactWriteItems":
            monkeypatch.setattr(BaseClient, "_make_api_call", make_call)
            world.invoke("auth.eraser", {})
            sign_up(world)
        return make_call(client, operation, request)

    world.time.advance(seconds=QUIET.total_seconds() + 1)
    monkeypatch.setattr(BaseClient, "_make_api_call", erase_first)
    world.invoke("auth.eraser", {})
    assert world.call("POST", "/api/users/signin", {"email": EMAIL, "password": PASSWORD}).status == 200
