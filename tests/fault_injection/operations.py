"""Every operation that talks to AWS: its set-up, its call, and what must be true afterwards."""

import json
import os
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from boto3 import client

from functions.auth import account_changes
from functions.auth.account_closing import QUIET
from functions.auth.link import Purpose
from functions.auth.store import UserStore
from functions.payments.payment import NORMAL_COURSE
from functions.payments.progress import LogName, LogWindow, Progress
from functions.payments.reconciler import OVERLAP
from functions.payments.store import PaymentStore
from shared import clock, events
from shared.ids import new_id
from shared.table import Table, _to_dynamodb
from tests.fault_injection.fault_case import Act, FaultCase
from tests.support.lambda_events import Person, sqs_batch
from tests.support.race_environment import (
    account_webhook,
    ask_stripe,
    delivery,
    expired,
    http,
    mails_to,
    order,
    paid,
    person,
    receipt,
    webhook,
)
from tests.support.worker_pool import Invocation, Outcome

type Setting = Callable[[FaultCase], Act]

OPERATIONS: dict[str, Setting] = {}
BODY = {"title": "Row 1, seat 1", "price": "10.00"}
ROLE = "arn:aws:iam::000000000000:role/schedule"
DECISION = {"at": "2026-11-27T10:00:00Z", "reason": "The concert is cancelled"}
REFUND = {"amount": "10.00", "reason": "refunded_at_stripe", "at": "2026-11-27T10:00:00Z"}


def operation(name: str) -> Callable[[Setting], Setting]:
    """Register the set-up of an operation."""

    def register(setting: Setting) -> Setting:
        OPERATIONS[name] = setting
        return setting

    return register


# Auth

SES_TRIES = 5  # two attempts of the SDK in each of two calls, and the one that succeeds
CREDENTIALS = {"email": "somebody@example.com", "password": "correct horse"}
NEW_PASSWORD = "battery staple"


@operation("sign up")
def _sign_up(fault_case: FaultCase) -> Act:
    fault_case.table("auth")

    def right(_: Outcome) -> None:
        # A repeated sign-up whose first attempt succeeded answers that the e-mail is in use; the user can sign in.
        [claim], [user] = fault_case.items("auth", "email#"), fault_case.items("auth", "user#")
        assert claim["userID"] == user["id"] == fault_case.http("POST", "/api/users/signin", CREDENTIALS)["id"]

    return Act(http("POST", "/api/users/signup", CREDENTIALS), right, good=(201, 409))


@operation("sign in")
def _sign_in(fault_case: FaultCase) -> Act:
    fault_case.table("auth")
    fault_case.http("POST", "/api/users/signup", CREDENTIALS)

    def right(outcome: Outcome) -> None:
        assert outcome.json["token"]
        # An attempt with an unknown outcome may stay counted, once for each of its tries; the count never goes below 0.
        assert all(0 <= item["count"] <= 6 for item in fault_case.items("auth", "attempts#"))

    return Act(http("POST", "/api/users/signin", CREDENTIALS), right, good=(200,))


@operation("authorize")
def _authorize(fault_case: FaultCase) -> Act:
    fault_case.table("auth")
    signed_up = fault_case.http("POST", "/api/users/signup", CREDENTIALS)

    def right(outcome: Outcome) -> None:
        assert outcome.answer["context"]["userID"] == signed_up["id"]

    return Act(Invocation("auth.authorizer", {"headers": {"authorization": f"Bearer {signed_up['token']}"}}), right)


@operation("sign out")
def _sign_out(fault_case: FaultCase) -> Act:
    token = _signed_up(fault_case)[1]
    request = http("POST", "/api/users/signout")
    request.event["headers"]["authorization"] = f"Bearer {token}"
    return Act(request, lambda _: _has_no_session(fault_case), good=(204,))


@operation("list sessions")
def _list_sessions(fault_case: FaultCase) -> Act:
    user, _ = _signed_up(fault_case)

    def right(outcome: Outcome) -> None:
        assert [each["id"] for each in outcome.json["sessions"]] == [user.session_id]

    return Act(http("GET", "/api/users/sessions", by=user), right, good=(200,))


@operation("end a session")
def _end_session(fault_case: FaultCase) -> Act:
    user, _ = _signed_up(fault_case)
    request = http("DELETE", f"/api/users/sessions/{user.session_id}", by=user)
    return Act(request, lambda _: _has_no_session(fault_case), good=(204,))


@operation("end all sessions")
def _end_all_sessions(fault_case: FaultCase) -> Act:
    user, _ = _signed_up(fault_case)
    return Act(http("DELETE", "/api/users/sessions", by=user), lambda _: _has_no_session(fault_case), good=(204,))


@operation("mail a receipt")
def _mail_receipt(fault_case: FaultCase) -> Act:
    """Several mails only if SES's answers are lost. One that cannot be recorded is not sent again for its message."""
    user, address = _recipient(fault_case)

    def right(_: Outcome) -> None:
        assert len(fault_case.items("auth", "mail#")) == 1
        assert 1 <= mails_to(address, fault_case.environment["SES_MESSAGES"]) <= SES_TRIES

    return Act(receipt(user, new_id()), right)


@operation("mark an address that bounced")
def _mark_address(fault_case: FaultCase) -> Act:
    user, address = _recipient(fault_case)
    bounce = {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": address}]}
    event = {"detail-type": "Email Bounced", "source": "aws.ses", "detail": {"eventType": "Bounce", "bounce": bounce}}

    def right(_: Outcome) -> None:
        [item] = fault_case.items("auth", "user#")
        assert (item["id"], item["suppressedEmail"]) == (user.id, address)

    return Act(Invocation("auth.feedback", sqs_batch(event)), right)


def _recipient(fault_case: FaultCase) -> tuple[Person, str]:
    """Sign up a user with an address of this case; return both."""
    fault_case.table("auth")
    address = f"{fault_case.name}@example.com"
    fault_case.http("POST", "/api/users/signup", CREDENTIALS | {"email": address})
    [user] = fault_case.items("auth", "user#")
    return Person(user["id"], address), address


@operation("verify an address")
def _verify_email(fault_case: FaultCase) -> Act:
    """A repeated request whose first attempt succeeded finds the link used, and the user verified."""
    user, _ = _signed_up(fault_case)

    def right(_: Outcome) -> None:
        [item] = fault_case.items("auth", "user#")
        assert (item["emailVerified"], item["links"]) == (True, {})

    body = {"token": _link(user, Purpose.VERIFY, fault_case)}
    return Act(http("POST", "/api/users/email/verify", body), right, good=(204, 410))


@operation("change an address")
def _change_email(fault_case: FaultCase) -> Act:
    user, _ = _signed_up(fault_case)

    def right(_: Outcome) -> None:
        [item], [claim] = fault_case.items("auth", "user#"), fault_case.items("auth", "email#")
        assert item["email"] == claim["email"] == "other@example.com"

    body = {"token": _link(user, Purpose.CHANGE_EMAIL, fault_case, "other@example.com")}
    return Act(http("POST", "/api/users/email/verify", body), right, good=(204, 410))


@operation("reset a password")
def _reset_password(fault_case: FaultCase) -> Act:
    """As above: if the answer is lost, the user signs in with the new password."""
    user, _ = _signed_up(fault_case)

    def right(_: Outcome) -> None:
        fault_case.http("POST", "/api/users/signin", CREDENTIALS | {"password": NEW_PASSWORD})
        [item] = fault_case.items("auth", "user#")
        assert user.session_id not in item["sessions"]

    body = {"token": _link(user, Purpose.RESET, fault_case), "password": NEW_PASSWORD}
    return Act(http("POST", "/api/users/password/reset", body), right, good=(200, 410))


@operation("change a password")
def _change_password(fault_case: FaultCase) -> Act:
    """As above: the current password of a repeated request may be the former one by then."""
    user, _ = _signed_up(fault_case)

    def right(_: Outcome) -> None:
        fault_case.http("POST", "/api/users/signin", CREDENTIALS | {"password": NEW_PASSWORD})

    body = {"current": CREDENTIALS["password"], "new": NEW_PASSWORD}
    return Act(http("PUT", "/api/users/password", body, by=user), right, good=(204, 403))


@operation("export personal data")
def _export(fault_case: FaultCase) -> Act:
    user = _owner(fault_case)

    def right(outcome: Outcome) -> None:
        assert (outcome.json["account"]["id"], len(outcome.json["tickets"])) == (user.id, 1)

    return Act(http("GET", "/api/users/me/export", by=user), right, good=(200,))


@operation("delete an account")
def _delete_account(fault_case: FaultCase) -> Act:
    user = _owner(fault_case)

    def right(_: Outcome) -> None:
        [item] = fault_case.items("auth", "user#")
        assert (item["closingPartition"], item["sessions"]) == ("closing", {})

    return Act(http("DELETE", "/api/users/me", {"password": CREDENTIALS["password"]}, by=user), right, good=(202,))


@operation("erase an account")
def _erase_account(fault_case: FaultCase) -> Act:
    """An account that could not be erased is found again by the next run."""
    user, _ = _signed_up(fault_case)
    fault_case.table("tickets", "orders")
    fault_case.http("DELETE", "/api/users/me", {"password": CREDENTIALS["password"]}, by=user)
    run = Invocation("auth.eraser", {}, clock.now() + QUIET + timedelta(seconds=5))

    def right(_: Outcome) -> None:
        if fault_case.items("auth", "user#"):
            fault_case.run(run)
        assert fault_case.items("auth", "user#") == fault_case.items("auth", "email#") == []

    return Act(run, right)


@operation("withdraw the tickets of a deleted account")
def _close_tickets(fault_case: FaultCase) -> Act:
    user = _owner(fault_case)

    def right(_: Outcome) -> None:
        [item] = fault_case.items("tickets", "ticket#")
        assert item["pending"]["withdrawn"] is True

    return Act(Invocation("tickets.personal_data", {"operation": "close", "userID": user.id}), right)


def _owner(fault_case: FaultCase) -> Person:
    """Sign up a user who sells a ticket."""
    user, _ = _signed_up(fault_case)
    fault_case.table("tickets", "orders", "payments")
    fault_case.http("POST", "/api/tickets", BODY, by=user)
    return user


def _link(user: Person, purpose: Purpose, fault_case: FaultCase, email: str | None = None) -> str:
    made = account_changes.make_link(UserStore(Table(f"auth-{fault_case.name}")), user.id, purpose, email)
    assert made
    return made[1]


def _signed_up(fault_case: FaultCase) -> tuple[Person, str]:
    """Sign up a user; return them with the token of their session."""
    fault_case.table("auth")
    token = fault_case.http("POST", "/api/users/signup", CREDENTIALS)["token"]
    [user] = fault_case.items("auth", "user#")
    [session_id] = user["sessions"]
    return Person(user["id"], user["email"], session_id), token


def _has_no_session(fault_case: FaultCase) -> None:
    [user] = fault_case.items("auth", "user#")
    assert user["sessions"] == {}


# Tickets


@operation("sell")
def _sell(fault_case: FaultCase) -> Act:
    fault_case.table("tickets")

    def right(outcome: Outcome) -> None:
        [ticket] = fault_case.items("tickets", "ticket#")
        assert (ticket["id"], ticket["version"]) == (outcome.json["id"], 1)

    return Act(http("POST", "/api/tickets", BODY, by=fault_case.seller, key="key"), right, good=(201,))


@operation("sell, no key")
def _sell_without_key(fault_case: FaultCase) -> Act:
    fault_case.table("tickets")

    def right(outcome: Outcome) -> None:
        # Repeating without a key a call that may have succeeded may sell twice; after a first answer there is one
        # ticket.
        tickets = {ticket["id"] for ticket in fault_case.items("tickets", "ticket#")}
        assert outcome.json["id"] in tickets
        assert len(tickets) <= 2

    return Act(http("POST", "/api/tickets", BODY, by=fault_case.seller), right, good=(201,))


@operation("edit")
def _edit(fault_case: FaultCase) -> Act:
    ticket = _ticket(fault_case)
    fault_case.table("orders")
    body = BODY | {"price": "11.00"}

    def right(outcome: Outcome) -> None:
        [item] = fault_case.items("tickets", "ticket#")
        assert (item["price"], item["version"]) == ("11.00", outcome.json["version"])
        _is_decided_once(fault_case)
        assert _copy(fault_case)["price"] == "11.00"

    edit = http("PUT", f"/api/tickets/{ticket['id']}", body, by=fault_case.seller, key="key")
    return Act(edit, right, good=(200,), meanwhile=fault_case.decide_changes)


@operation("withdraw")
def _withdraw(fault_case: FaultCase) -> Act:
    ticket = _ticket(fault_case)
    fault_case.table("orders")

    def right(_: Outcome) -> None:
        [item] = fault_case.items("tickets", "ticket#")
        assert item["withdrawnAt"] > 0
        _is_decided_once(fault_case)
        assert _copy(fault_case)["withdrawn"]

    withdrawal = http("DELETE", f"/api/tickets/{ticket['id']}", by=fault_case.seller, key="key")
    return Act(withdrawal, right, good=(204,), meanwhile=fault_case.decide_changes)


@operation("relist")
def _relist(fault_case: FaultCase) -> Act:
    """Of a ticket whose order was refunded."""
    ticket = _ticket(fault_case)
    fault_case.table("orders")
    fault_case.deliver("orders", "ticket:created", _ticket_data(ticket))
    data = _order_data(fault_case, ticket) | {"status": "refunded", "version": 2, "refund": REFUND}
    fault_case.deliver("tickets", "order:refunded", data)

    def right(_: Outcome) -> None:
        [item] = fault_case.items("tickets", "ticket#")
        assert not item.keys() & {"withdrawnAt", "refund", "pending"}
        assert [decision.get("reason") for decision in item["decisions"].values()] == [None]
        assert not _copy(fault_case)["withdrawn"]

    relisting = http("POST", f"/api/tickets/{ticket['id']}/relist", by=fault_case.seller, key="key")
    return Act(relisting, right, good=(200,), meanwhile=fault_case.decide_changes)


def _is_decided_once(fault_case: FaultCase) -> None:
    """One change, whose request may have been published a second time by a retry."""
    [item] = fault_case.items("tickets", "ticket#")
    assert len(item["decisions"]) == 1
    assert item["version"] in (3, 4)
    assert "pending" not in item


def _tickets_receive_a_decision(event_type: str, **more: str) -> Setting:
    def setting(fault_case: FaultCase) -> Act:
        ticket = _ticket(fault_case)
        path = f"/api/tickets/{ticket['id']}"
        assert fault_case.run(http("PUT", path, BODY | {"price": "11.00"}, by=fault_case.seller)).status == 202
        change = fault_case.event_of("tickets", "ticket#", "ticket:change-requested")
        data = {"id": ticket["id"], "version": 1, "changeID": change["changeID"]}

        def right(_: Outcome) -> None:
            [item] = fault_case.items("tickets", "ticket#")
            assert "pending" not in item
            assert (item["version"], item["price"]) == (
                3,
                "11.00" if event_type == "ticket:change-accepted" else "10.00",
            )

        return Act(delivery("tickets", event_type, data | more), right)

    return setting


operation("tickets: ticket:change-accepted")(_tickets_receive_a_decision("ticket:change-accepted"))
operation("tickets: ticket:change-declined")(_tickets_receive_a_decision("ticket:change-declined", reason="held"))


@operation("list tickets on sale")
def _on_sale(fault_case: FaultCase) -> Act:
    ticket = _ticket(fault_case)

    def right(outcome: Outcome) -> None:
        assert [one["id"] for one in outcome.json["tickets"]] == [ticket["id"]]

    return Act(http("GET", "/api/tickets"), right, good=(200,))


@operation("list own tickets")
def _mine(fault_case: FaultCase) -> Act:
    ticket = _ticket(fault_case)

    def right(outcome: Outcome) -> None:
        assert [one["id"] for one in outcome.json["tickets"]] == [ticket["id"]]

    return Act(http("GET", "/api/tickets/mine", by=fault_case.seller), right, good=(200,))


@operation("get a ticket")
def _get_ticket(fault_case: FaultCase) -> Act:
    ticket = _ticket(fault_case)

    def right(outcome: Outcome) -> None:
        assert outcome.json["id"] == ticket["id"]

    return Act(http("GET", f"/api/tickets/{ticket['id']}"), right, good=(200,))


def _tickets_hear(event_type: str, change: dict[str, Any]) -> Setting:
    def setting(fault_case: FaultCase) -> Act:
        ticket = _ticket(fault_case)
        placed = _order_data(fault_case, ticket)
        if event_type != "order:created":
            fault_case.deliver("tickets", "order:created", placed)
        hold = 1 if event_type == "order:created" else 2
        data = placed | change | {"version": hold, "ticket": placed["ticket"] | {"hold": hold}}

        def right(_: Outcome) -> None:
            [item] = fault_case.items("tickets", "ticket#")
            is_news = event_type != "order:awaiting-payment"  # the ticket is reserved for this order already
            assert (item["holdNumber"], item["version"]) == (hold, 1 + hold if is_news else hold)
            has_ended = event_type in ("order:cancelled", "order:refunded")
            assert (item.get("holdOrderID") == placed["id"]) is not has_ended
            assert ("soldAt" in item) is (event_type in ("order:completed", "order:refund-requested"))
            assert ("withdrawnAt" in item) is (event_type == "order:refunded")
            assert ("refunding" in item) is (event_type == "order:refund-requested")
            assert ("refund" in item) is (event_type == "order:refunded")

        return Act(delivery("tickets", event_type, data), right)

    return setting


for _type, _change in (
    ("order:created", {"status": "created"}),
    ("order:awaiting-payment", {"status": "awaiting:payment"}),
    ("order:refund-requested", {"status": "refunding", "refundDecision": DECISION}),
    ("order:completed", {"status": "completed"}),
    ("order:refunded", {"status": "refunded", "refund": REFUND}),
    ("order:cancelled", {"status": "cancelled", "reason": "expired"}),
):
    operation(f"tickets: {_type}")(_tickets_hear(_type, _change))


# Orders


@operation("place an order")
def _place(fault_case: FaultCase) -> Act:
    ticket = _known_ticket(fault_case)

    def right(outcome: Outcome) -> None:
        [placed] = _orders(fault_case)
        assert (placed["id"], placed["version"]) == (outcome.json["id"], 1)
        assert _copy(fault_case)["holdOrderID"] == placed["id"]

    return Act(order(ticket["id"], fault_case.buyer, key="key"), right, good=(201,))


@operation("find the order of a ticket")
def _find_order(fault_case: FaultCase) -> Act:
    placed = _placed(fault_case)

    def right(outcome: Outcome) -> None:
        assert [one["id"] for one in outcome.json["orders"]] == [placed["id"]]

    return Act(http("GET", f"/api/orders?ticketID={placed['ticket']['id']}", by=fault_case.buyer), right, good=(200,))


@operation("place an order, no key")
def _place_without_key(fault_case: FaultCase) -> Act:
    ticket = _known_ticket(fault_case)

    def right(outcome: Outcome) -> None:
        [placed] = _orders(fault_case)
        assert placed["id"] == outcome.json["id"] == _copy(fault_case)["holdOrderID"]

    return Act(order(ticket["id"], fault_case.buyer), right, good=(201, 200))


@operation("take over")
def _take_over(fault_case: FaultCase) -> Act:
    first = _placed(fault_case)
    over = datetime.fromisoformat(first["expiresAt"])

    def right(outcome: Outcome) -> None:
        after = {item["id"]: item for item in _orders(fault_case)}
        assert len(after) == 2
        assert (after[first["id"]]["status"], after[first["id"]]["version"]) == ("cancelled", 2)
        assert after[outcome.json["id"]]["status"] == "created"
        copy = _copy(fault_case)
        assert (copy["holdOrderID"], copy["holdNumber"]) == (outcome.json["id"], 3)

    return Act(order(first["ticket"]["id"], person(), at=over, key="key"), right, good=(201,))


@operation("cancel an order")
def _cancel(fault_case: FaultCase) -> Act:
    placed = _placed(fault_case)

    def right(_: Outcome) -> None:
        _is_cancelled(fault_case, "cancelled_by_buyer")

    return Act(http("DELETE", f"/api/orders/{placed['id']}", by=fault_case.buyer, key="key"), right, good=(204,))


@operation("get an order")
def _get_order(fault_case: FaultCase) -> Act:
    placed = _placed(fault_case)

    def right(outcome: Outcome) -> None:
        assert outcome.json["id"] == placed["id"]

    return Act(http("GET", f"/api/orders/{placed['id']}", by=fault_case.buyer), right, good=(200,))


@operation("list orders")
def _list_orders(fault_case: FaultCase) -> Act:
    placed = _placed(fault_case)

    def right(outcome: Outcome) -> None:
        assert [one["id"] for one in outcome.json["orders"]] == [placed["id"]]

    return Act(http("GET", "/api/orders", by=fault_case.buyer), right, good=(200,))


@operation("orders: ticket:created")
def _keep_ticket(fault_case: FaultCase) -> Act:
    fault_case.table("orders")
    data = {"id": new_id(), "version": 1, "currency": "usd", "userID": fault_case.seller.id} | BODY

    def right(_: Outcome) -> None:
        copy = _copy(fault_case)
        assert (copy["id"], copy["price"], copy["ticketVersion"], copy["holdNumber"]) == (data["id"], "10.00", 1, 0)

    return Act(delivery("orders", "ticket:created", data), right)


@operation("orders: ticket:updated")
def _keep_edit(fault_case: FaultCase) -> Act:
    ticket = _known_ticket(fault_case)
    data = _ticket_data(ticket) | {"version": 2, "price": "11.00", "change": "edited", "status": "available"}

    def right(_: Outcome) -> None:
        copy = _copy(fault_case)
        assert (copy["price"], copy["ticketVersion"]) == ("11.00", 2)

    return Act(delivery("orders", "ticket:updated", data), right)


def _change_data(ticket: Mapping[str, Any]) -> dict[str, Any]:
    return _ticket_data(ticket) | {"version": 2, "price": "11.00", "withdrawn": False, "changeID": "change"}


@operation("orders: ticket:change-requested")
def _decide(fault_case: FaultCase) -> Act:
    ticket = _known_ticket(fault_case)

    def right(_: Outcome) -> None:
        copy = _copy(fault_case)
        assert (copy["price"], copy["decidedChangeID"], "declinedFor" in copy) == ("11.00", "change", False)
        assert copy["decisionNumber"] in (1, 2)  # 2: redelivered, so the decision was published again

    return Act(delivery("orders", "ticket:change-requested", _change_data(ticket)), right)


@operation("orders: ticket:change-requested, after a lapse")
def _decide_after_a_lapse(fault_case: FaultCase) -> Act:
    placed = _placed(fault_case)
    ticket = placed["ticket"] | {"userID": fault_case.seller.id, "version": 1}
    over = datetime.fromisoformat(placed["expiresAt"])

    def right(_: Outcome) -> None:
        copy = _copy(fault_case)
        assert (copy["price"], copy["holdNumber"], "holdOrderID" in copy) == ("11.00", 2, False)
        [item] = _orders(fault_case)
        assert (item["status"], item["reason"], item["version"]) == ("cancelled", "expired", 2)

    return Act(delivery("orders", "ticket:change-requested", _change_data(ticket), at=over), right)


@operation("orders: expiration:completed")
def _expire_order(fault_case: FaultCase) -> Act:
    placed = _placed(fault_case)
    return Act(
        expired(placed, at=datetime.fromisoformat(placed["expiresAt"])), lambda _: _is_cancelled(fault_case, "expired")
    )


@operation("orders: payment:authorized")
def _hear_authorized(fault_case: FaultCase) -> Act:
    placed = _placed(fault_case)

    def right(_: Outcome) -> None:
        [item] = _orders(fault_case)
        assert item["status"] == "awaiting:payment"
        assert item["version"] in (2, 3)  # 3: redelivered, so the state was published again
        assert "holdExpiresAt" not in _copy(fault_case)

    return Act(paid("payment:authorized", placed), right)


def _orders_hear(event_type: str, status: str) -> Setting:
    def setting(fault_case: FaultCase) -> Act:
        placed = _placed(fault_case)
        assert fault_case.run(paid("payment:authorized", placed)).is_taken

        def right(_: Outcome) -> None:
            [item] = _orders(fault_case)
            assert item["status"] == status
            assert item["version"] in (3, 4)
            assert _copy(fault_case).get("sold", False) is (status == "completed")
            assert _copy(fault_case)["holdNumber"] == 3

        return Act(paid(event_type, placed), right)

    return setting


operation("orders: payment:created")(_orders_hear("payment:created", "completed"))
operation("orders: payment:failed")(_orders_hear("payment:failed", "cancelled"))


def _orders_hear_of_refund(event_type: str, amount: int, status: str) -> Setting:
    def setting(fault_case: FaultCase) -> Act:
        placed = _placed(fault_case)
        for earlier in ("payment:authorized", "payment:created"):
            assert fault_case.run(paid(earlier, placed)).is_taken

        def right(_: Outcome) -> None:
            [item] = _orders(fault_case)
            assert (item["status"], item["refund"]["amount"]) == (status, f"{amount // 100}.00")
            assert item["version"] in (4, 5)  # 5: redelivered, so the state was published again
            copy, is_sold = _copy(fault_case), status == "completed"
            assert (copy.get("sold", False), copy["withdrawn"], copy["holdNumber"]) == (is_sold, not is_sold, 4)

        data = {"id": new_id(), "version": 3, "orderId": placed["id"], "userID": placed["userID"], "stripeId": "pi_1"}
        refund = {"reason": "refunded_at_stripe", "amountRefunded": amount}
        return Act(delivery("orders", event_type, data | refund), right)

    return setting


operation("orders: payment:partly-refunded")(_orders_hear_of_refund("payment:partly-refunded", 400, "completed"))
operation("orders: payment:refunded")(_orders_hear_of_refund("payment:refunded", 1000, "refunded"))


@operation("refund an order")
def _refund(fault_case: FaultCase) -> Act:
    sold = _sold(fault_case)

    def right(_: Outcome) -> None:
        [item] = _orders(fault_case)
        assert (item["status"], item["version"], item["event"]["type"]) == ("refunding", 4, "order:refund-requested")
        assert (_copy(fault_case)["sold"], _copy(fault_case)["holdNumber"]) == (True, 4)

    path = f"/api/orders/{sold['id']}/refund"
    return Act(http("POST", path, {}, by=fault_case.seller, key="key"), right, good=(202,))


@operation("ask for a refund")
def _ask_for_refund(fault_case: FaultCase) -> Act:
    sold = _sold(fault_case)

    def right(_: Outcome) -> None:
        [item] = _orders(fault_case)
        assert (item["status"], item["version"]) == ("completed", 4)
        assert item["refundRequest"]["reason"] == "I am ill"

    path = f"/api/orders/{sold['id']}/refund-request"
    return Act(http("POST", path, {"reason": "I am ill"}, by=fault_case.buyer, key="key"), right, good=(202,))


@operation("look at an order that stays refunding")
def _look_at_refunding(fault_case: FaultCase) -> Act:
    sold = _sold(fault_case)
    fault_case.http("POST", f"/api/orders/{sold['id']}/refund", {}, by=fault_case.seller)
    before = _orders(fault_case)[0]["event"]["id"]
    later = clock.now() + timedelta(minutes=6)
    look = Invocation("orders.expirer", sqs_batch({"userID": sold["userID"], "orderID": sold["id"]}), later)

    def right(_: Outcome) -> None:
        """A task that failed is found again by the next sweep."""
        if _orders(fault_case)[0]["version"] == 4:
            assert fault_case.run(look).is_taken
        [item] = _orders(fault_case)
        assert (item["status"], item["version"], item["event"]["type"]) == ("refunding", 5, "order:refund-requested")
        assert item["event"]["id"] != before
        assert clock.from_millis(item["dueAt"]) > later

    return Act(look, right)


@operation("sweep")
def _sweep(fault_case: FaultCase) -> Act:
    placed = _placed(fault_case)
    queue = _TaskQueue(fault_case, "OVERDUE_QUEUE_URL")
    later = datetime.fromisoformat(placed["expiresAt"]) + timedelta(minutes=4)

    def right(_: Outcome) -> None:
        assert queue.tasks() == [{"userID": placed["userID"], "orderID": placed["id"]}]

    return Act(Invocation("orders.sweep", {}, later), right)


@operation("expire an overdue order")
def _expire_overdue(fault_case: FaultCase) -> Act:
    placed = _placed(fault_case)
    later = datetime.fromisoformat(placed["expiresAt"]) + timedelta(minutes=4)
    batch = sqs_batch({"userID": placed["userID"], "orderID": placed["id"]})

    def right(_: Outcome) -> None:
        """A task that failed is found again by the next sweep."""
        if _orders(fault_case)[0]["status"] == "created":
            assert fault_case.run(Invocation("orders.expirer", batch, later)).is_taken
        _is_cancelled(fault_case, "expired")

    return Act(Invocation("orders.expirer", batch, later), right)


# Payments


@operation("start a payment")
def _start(fault_case: FaultCase) -> Act:
    placed = _payable(fault_case)

    def right(outcome: Outcome) -> None:
        [payment] = fault_case.items("payments", "order#")
        assert payment["stripeID"] == outcome.json["stripeId"]
        # An unrecorded PaymentIntent stays as it is: nobody has its secret, so it cannot be paid.
        assert {intent["status"] for intent in _intents(fault_case, placed)} <= {"requires_payment_method", "canceled"}

    return Act(
        http("POST", "/api/payments", {"orderId": placed["id"]}, by=fault_case.buyer, key="key"), right, good=(201, 200)
    )


@operation("pay with a card")
def _pay(fault_case: FaultCase) -> Act:
    placed = _payable(fault_case)
    body = {"orderId": placed["id"], "token": "tok_visa"}

    def right(outcome: Outcome) -> None:
        [payment] = fault_case.items("payments", "order#")
        assert (payment["status"], payment["stripeID"], payment["version"]) == (
            "authorized",
            outcome.json["stripeId"],
            1,
        )
        assert [i["id"] for i in _intents(fault_case, placed) if i["status"] == "requires_capture"] == [
            payment["stripeID"]
        ]

    return Act(http("POST", "/api/payments", body, by=fault_case.buyer, key="key"), right, good=(201, 200))


@operation("look at a payment")
def _look(fault_case: FaultCase) -> Act:
    placed, stripe_id = _started(fault_case)
    _confirm(fault_case, stripe_id)

    def right(outcome: Outcome) -> None:
        # The failed read may have used up the rate limit for two seconds; the answer may then be slightly out of date.
        assert outcome.json["status"] in ("open", "authorized")
        later = fault_case.run(
            http("GET", f"/api/payments/{placed['id']}", by=fault_case.buyer, at=clock.now() + _MOMENT)
        )
        assert later.json["status"] == "authorized"
        assert _payment(fault_case)["version"] == 1

    return Act(http("GET", f"/api/payments/{placed['id']}", by=fault_case.buyer), right, good=(200,))


@operation("webhook")
def _webhook(fault_case: FaultCase) -> Act:
    placed, stripe_id = _started(fault_case)
    _confirm(fault_case, stripe_id)
    subject = {"object": "payment_intent", "id": stripe_id}
    notification = {"id": "evt_1", "type": "payment_intent.amount_capturable_updated", "data": {"object": subject}}

    def right(_: Outcome) -> None:
        payment = _payment(fault_case)
        assert (payment["orderID"], payment["status"], payment["version"]) == (placed["id"], "authorized", 1)

    return Act(webhook(notification), right, good=(200,))


@operation("webhook of a refund")
def _webhook_of_refund(fault_case: FaultCase) -> Act:
    placed, stripe_id = _completed(fault_case)
    _stripe(fault_case, "/v1/refunds", f"payment_intent={stripe_id}&amount=400")
    notification = {"type": "charge.refunded", "data": {"object": {"object": "charge", "payment_intent": stripe_id}}}

    def right(_: Outcome) -> None:
        payment = _payment(fault_case)
        assert (payment["orderID"], payment["status"], payment["refunded"]) == (placed["id"], "captured", 400)
        assert (payment["version"], payment["event"]["type"]) == (2, "payment:partly-refunded")

    return Act(webhook(notification), right, good=(200,))


def _webhook_of_refund_outcome(event_type: str, outcome: str, recorded: Mapping[str, Any]) -> Setting:
    """The operator has refunded the payment, the refund is recorded as pending, and now has its outcome."""

    def prepare(fault_case: FaultCase) -> Act:
        _, stripe_id = _completed(fault_case, card="pm_card_pendingRefund")
        refund = _stripe(fault_case, "/v1/refunds", f"payment_intent={stripe_id}")
        subject = {"object": "refund", "id": refund["id"], "payment_intent": stripe_id}
        fault_case.run(webhook({"type": "refund.updated", "data": {"object": subject}}))
        assert _payment(fault_case)["refundStatus"] == "pending"
        _stripe(fault_case, f"/local/refunds/{refund['id']}", f"status={outcome}")

        def right(_: Outcome) -> None:
            payment = _payment(fault_case)
            assert {name: payment.get(name) for name in recorded} == recorded

        return Act(webhook({"type": event_type, "data": {"object": subject}}), right, good=(200,))

    return prepare


operation("webhook of a pending refund that succeeds")(
    _webhook_of_refund_outcome(
        "refund.updated", "succeeded", {"status": "refunded", "refunded": 1000, "refundStatus": None}
    )
)
operation("webhook of a refund that fails")(
    _webhook_of_refund_outcome(
        "refund.failed", "failed", {"status": "captured", "refunded": None, "refundStatus": "failed"}
    )
)


@operation("webhook of unrecorded money")
def _webhook_of_unrecorded(fault_case: FaultCase) -> Act:
    placed, _ = _completed(fault_case)
    stripe_id = _charge_by_hand(fault_case, placed)
    notification = {
        "type": "payment_intent.succeeded",
        "data": {"object": {"object": "payment_intent", "id": stripe_id}},
    }

    def right(_: Outcome) -> None:
        assert [refund["amount"] for refund in _refunds(fault_case, stripe_id)] == [1000]
        assert _payment(fault_case)["status"] == "captured"

    return Act(webhook(notification), right, good=(200,))


@operation("payments: order:created")
def _follow_created(fault_case: FaultCase) -> Act:
    fault_case.table("payments")
    data = _order_data(fault_case, {"id": new_id(), "currency": "usd"} | BODY)

    def right(_: Outcome) -> None:
        payment = _payment(fault_case)
        assert (payment["orderID"], payment["orderStatus"], payment["amount"]) == (data["id"], "created", 1000)

    return Act(delivery("payments", "order:created", data), right)


def _payments_hear(event_type: str, status: str, outcome: str, charged: int) -> Setting:
    def setting(fault_case: FaultCase) -> Act:
        placed, stripe_id = _started(fault_case)
        _confirm(fault_case, stripe_id)
        data = placed | {"status": status, "version": 2}
        if event_type == "order:cancelled":
            data["reason"] = "expired"
        if event_type == "order:completed":
            fault_case.deliver(
                "payments", "order:awaiting-payment", placed | {"status": "awaiting:payment", "version": 2}
            )
            data["version"] = 3

        def right(_: Outcome) -> None:
            payment = _payment(fault_case)
            assert (payment["status"], payment["orderStatus"]) == (outcome, status)
            [intent] = _intents(fault_case, placed)
            assert intent["amount_received"] == charged
            assert intent["status"] == ("succeeded" if charged else "canceled")
            assert ("unsettledPartition" in payment) is (event_type == "order:awaiting-payment")
            _has_earned(fault_case, 950 if event_type == "order:completed" else 0)

        return Act(delivery("payments", event_type, data), right)

    return setting


operation("payments: order:awaiting-payment")(
    _payments_hear("order:awaiting-payment", "awaiting:payment", "captured", 1000)
)


@operation("payments: order:refund-requested")
def _follow_refund_requested(fault_case: FaultCase) -> Act:
    placed, stripe_id = _completed(fault_case)

    def right(_: Outcome) -> None:
        assert [made["amount"] for made in _refunds(fault_case, stripe_id)] == [1000]
        payment = _payment(fault_case)
        assert (payment["status"], payment["orderStatus"], payment["refunded"]) == ("refunded", "refunding", 1000)
        assert payment["event"]["type"] == "payment:refunded"

    data = placed | {"status": "refunding", "version": 4, "refundDecision": DECISION}
    return Act(delivery("payments", "order:refund-requested", data), right)


operation("payments: order:completed")(_payments_hear("order:completed", "completed", "captured", 1000))


@operation("payments: order:completed, of refunded money")
def _follow_completed_of_refunded(fault_case: FaultCase) -> Act:
    """The money was returned before Orders had completed the order: the refund is published to Orders once more."""
    placed, stripe_id = _captured(fault_case)
    _stripe(fault_case, "/v1/refunds", f"payment_intent={stripe_id}")
    notification = {"type": "charge.refunded", "data": {"object": {"object": "charge", "payment_intent": stripe_id}}}
    assert fault_case.run(webhook(notification)).status == 200

    def right(_: Outcome) -> None:
        payment = _payment(fault_case)
        assert (payment["status"], payment["orderStatus"]) == ("refunded", "completed")
        assert payment["event"]["type"] == "payment:refunded"
        assert payment["version"] in (3, 4)  # 4: redelivered, so it was published to Orders again

    return Act(delivery("payments", "order:completed", placed | {"status": "completed", "version": 3}), right)


@operation("payments: order:refunded")
def _follow_refunded(fault_case: FaultCase) -> Act:
    placed, stripe_id = _completed(fault_case)
    _stripe(fault_case, "/v1/refunds", f"payment_intent={stripe_id}")
    notification = {"type": "charge.refunded", "data": {"object": {"object": "charge", "payment_intent": stripe_id}}}
    assert fault_case.run(webhook(notification)).status == 200
    assert "unsettledPartition" in _payment(fault_case)

    def right(_: Outcome) -> None:
        assert _payment(fault_case)["orderStatus"] == "refunded"
        assert "unsettledPartition" not in _payment(fault_case)

    data = placed | {"status": "refunded", "version": 4, "refund": REFUND}
    return Act(delivery("payments", "order:refunded", data), right)


operation("payments: order:cancelled")(_payments_hear("order:cancelled", "cancelled", "voided", 0))


@operation("reconcile")
def _reconcile(fault_case: FaultCase) -> Act:
    placed, stripe_id = _started(fault_case)
    _confirm(fault_case, stripe_id)
    queue = _TaskQueue(fault_case, "DUE_QUEUE_URL")
    # All cases share one Stripe. Even a second run, which reads OVERLAP again, begins after the events of other cases.
    later = clock.now() + 2 * OVERLAP
    logs = {name: LogWindow(later) for name in LogName}
    PaymentStore(Table(f"payments-{fault_case.name}")).save_progress(Progress(logs=logs))

    def right(_: Outcome) -> None:
        assert queue.tasks() == [{"orderID": placed["id"]}]
        [progress] = fault_case.items("payments", "reconciler")
        assert "dueFrom" not in progress

    return Act(Invocation("payments.reconciler", {}, later), right)


@operation("settle a due payment")
def _settle_due(fault_case: FaultCase) -> Act:
    placed, stripe_id = _started(fault_case)
    _confirm(fault_case, stripe_id)
    task = Invocation("payments.settler", sqs_batch({"orderID": placed["id"]}), clock.now() + NORMAL_COURSE)

    def right(_: Outcome) -> None:
        """A task that failed is found again by the next run of the reconciler."""
        if _payment(fault_case)["status"] == "open":
            assert fault_case.run(task).is_taken
        payment = _payment(fault_case)
        assert (payment["orderID"], payment["status"]) == (placed["id"], "authorized")
        assert payment["version"] in (1, 2)

    return Act(task, right)


# Sellers' accounts

ACCOUNT = "/api/payouts/account"


@operation("connect an account")
def _connect(fault_case: FaultCase) -> Act:
    fault_case.table("payments")

    def right(outcome: Outcome) -> None:
        """The link leads to the recorded account, whatever else was created."""
        account = _stripe(fault_case, f"/v1/accounts/{_account(fault_case)['stripeAccount']}")
        page = outcome.json["url"].removeprefix(fault_case.environment["STRIPE_API_BASE"])
        assert account["metadata"]["userID"] == fault_case.seller.id
        assert _stripe(fault_case, f"{page}/open", "")["account"] == account["id"]

    return Act(http("POST", ACCOUNT, by=fault_case.seller, key="key"), right, good=(200,))


@operation("connect an account that was closed")
def _connect_again(fault_case: FaultCase) -> Act:
    first = _connected(fault_case)
    ask_stripe(fault_case.environment["STRIPE_API_BASE"], f"/v1/accounts/{first['id']}", method="DELETE")

    def right(_: Outcome) -> None:
        assert _account(fault_case)["stripeAccount"] != first["id"]
        assert "closed" not in _account(fault_case)

    return Act(http("POST", ACCOUNT, by=fault_case.seller), right, good=(200,))


@operation("look at an account")
def _look_at_account(fault_case: FaultCase) -> Act:
    account = _connected(fault_case)
    _stripe(fault_case, f"/local/accounts/{account['id']}", "status=ready")

    def right(outcome: Outcome) -> None:
        """While Stripe does not respond, the recorded status is shown."""
        assert outcome.json["status"] in ("incomplete", "ready")
        later = fault_case.run(http("GET", ACCOUNT, by=fault_case.seller, at=clock.now() + 2 * _MOMENT))
        assert later.json == {"status": "ready", "requirements": []}

    return Act(http("GET", ACCOUNT, by=fault_case.seller, at=clock.now() + _MOMENT), right, good=(200,))


@operation("webhook of an account")
def _account_webhook(fault_case: FaultCase) -> Act:
    account = _connected(fault_case)
    _stripe(fault_case, f"/local/accounts/{account['id']}", "status=restricted")

    def right(_: Outcome) -> None:
        assert _account(fault_case)["accountStatus"] == "restricted"

    return Act(account_webhook(account), right, good=(200,))


def _connected(fault_case: FaultCase) -> dict[str, Any]:
    """Connect an account of the seller and return it as Stripe shows it."""
    fault_case.table("payments")
    fault_case.http("POST", ACCOUNT, by=fault_case.seller)
    return dict(_stripe(fault_case, f"/v1/accounts/{_account(fault_case)['stripeAccount']}"))


def _account(fault_case: FaultCase) -> dict[str, Any]:
    [item] = fault_case.items("payments", "account#")
    return item


# Events and timers


@operation("relay")
def _relay(fault_case: FaultCase) -> Act:
    bus = _Bus(fault_case)
    event = events.outbox_entry(_created_event())
    images = {"NewImage": _to_dynamodb({"event": event}), "SequenceNumber": "1"}
    record = {"eventName": "INSERT", "dynamodb": images}

    def right(_: Outcome) -> None:
        [(ident, letter)] = (bus.arrived() | bus.unpublished()).items()
        assert ident == event["id"], letter

    return Act(Invocation("relay", {"Records": [record]}), right)


@operation("expire")
def _expire(fault_case: FaultCase) -> Act:
    bus = _Bus(fault_case)
    timer = {"orderId": new_id(), "userID": fault_case.buyer.id, "correlationId": "c", "causationId": "c"}

    def right(_: Outcome) -> None:
        assert {event["data"]["orderId"] for event in bus.arrived().values()} == {timer["orderId"]}

    return Act(Invocation("expiration.expire", timer), right)


@operation("set a timer")
def _set_timer(fault_case: FaultCase) -> Act:
    _Bus(fault_case)
    scheduler: Any = client("scheduler")
    scheduler.create_schedule_group(Name=f"group-{fault_case.name}")
    fault_case.environment |= {
        "SCHEDULE_GROUP": f"group-{fault_case.name}",
        "EXPIRE_FUNCTION_ARN": "arn:aws:lambda:us-east-1:000000000000:function:expire",
        "SCHEDULER_ROLE_ARN": ROLE,
        "SCHEDULE_DLQ_ARN": "arn:aws:sqs:us-east-1:000000000000:letters",
    }
    data = _order_data(fault_case, {"id": new_id(), "currency": "usd"} | BODY)

    def right(_: Outcome) -> None:
        schedules = scheduler.list_schedules(GroupName=f"group-{fault_case.name}")["Schedules"]
        assert [one["Name"] for one in schedules] == [f"order-{data['id']}"]

    return Act(delivery("expiration", "order:created", data), right)


@operation("delete a timer")
def _delete_timer(fault_case: FaultCase) -> Act:
    _Bus(fault_case)
    scheduler: Any = client("scheduler")
    group = f"group-{fault_case.name}"
    scheduler.create_schedule_group(Name=group)
    data = _order_data(fault_case, {"id": new_id(), "currency": "usd"} | BODY) | {"status": "awaiting:payment"}
    scheduler.create_schedule(
        Name=f"order-{data['id']}",
        GroupName=group,
        ScheduleExpression="at(2099-01-01T00:00:00)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:lambda:us-east-1:000000000000:function:expire", "RoleArn": ROLE},
    )
    fault_case.environment |= {
        "SCHEDULE_GROUP": group,
        "EXPIRE_FUNCTION_ARN": "unused",
        "SCHEDULER_ROLE_ARN": "unused",
        "SCHEDULE_DLQ_ARN": "unused",
    }

    def right(_: Outcome) -> None:
        assert scheduler.list_schedules(GroupName=group)["Schedules"] == []

    return Act(delivery("expiration", "order:awaiting-payment", data), right)


@operation("set a timer, too late")
def _set_late_timer(fault_case: FaultCase) -> Act:
    bus = _Bus(fault_case)
    fault_case.environment |= dict.fromkeys(
        ("SCHEDULE_GROUP", "EXPIRE_FUNCTION_ARN", "SCHEDULER_ROLE_ARN", "SCHEDULE_DLQ_ARN"), "unused"
    )
    data = _order_data(fault_case, {"id": new_id(), "currency": "usd"} | BODY)

    def right(_: Outcome) -> None:
        assert {event["data"]["orderId"] for event in bus.arrived().values()} == {data["id"]}

    return Act(delivery("expiration", "order:created", data, at=clock.now() + timedelta(minutes=6)), right)


# Payouts


@operation("find what is due to sellers")
def _find_payouts(fault_case: FaultCase) -> Act:
    earning = _earned(fault_case)
    queue = _TaskQueue(fault_case, "PAYOUT_QUEUE_URL")

    def right(_: Outcome) -> None:
        assert queue.tasks() == [{"orderID": earning["orderID"]}]

    return Act(Invocation("payments.payout_finder", {}, clock.now() + _MOMENT), right)


@operation("pay a seller")
def _pay_seller(fault_case: FaultCase) -> Act:
    earning = _earned(fault_case)
    _ready(fault_case)
    return _taken_look(fault_case, earning, paid=950)


@operation("take back from a seller")
def _reverse(fault_case: FaultCase) -> Act:
    placed, _ = _completed(fault_case)
    earning = _earning(fault_case)
    _ready(fault_case)
    assert fault_case.run(_look_task(fault_case, earning)).is_taken
    data = placed | {"status": "refunded", "version": 4, "refund": REFUND}
    fault_case.deliver("payments", "order:refunded", data)
    return _taken_look(fault_case, earning, paid=0)


@operation("look at a seller whose earnings wait")
def _look_at_seller(fault_case: FaultCase) -> Act:
    earning = _earned(fault_case)
    assert fault_case.run(_look_task(fault_case, earning)).is_taken
    assert _earning(fault_case)["waits"]
    _ready(fault_case)
    queue = _TaskQueue(fault_case, "PAYOUT_QUEUE_URL")
    task = Invocation("payments.payout_worker", sqs_batch({"sellerID": fault_case.seller.id}))

    def right(_: Outcome) -> None:
        """A look that failed is found again by the next run of the finder."""
        fault_case.run(task)
        assert queue.tasks() == [{"orderID": earning["orderID"]}]

    return Act(task, right)


@operation("list earnings")
def _list_earnings(fault_case: FaultCase) -> Act:
    earning = _earned(fault_case)

    def right(outcome: Outcome) -> None:
        assert [each["orderID"] for each in outcome.json["payouts"]] == [earning["orderID"]]
        assert outcome.json["totals"]["held"] == "9.50"

    return Act(http("GET", "/api/payouts", by=fault_case.seller), right, good=(200,))


@operation("export earnings")
def _export_earnings(fault_case: FaultCase) -> Act:
    earning = _earned(fault_case)
    day = f"{clock.now():%Y-%m-%d}"

    def right(outcome: Outcome) -> None:
        assert earning["orderID"] in outcome.answer["body"]

    return Act(http("GET", f"/api/payouts/export?from={day}&to={day}", by=fault_case.seller), right, good=(200,))


def _has_earned(fault_case: FaultCase, net: int) -> None:
    """Check that the seller's earnings are recorded once, and that the totals are their sum."""
    earnings, sellers = fault_case.items("payments", "earning#"), fault_case.items("payments", "seller#")
    assert [each["price"] - each["fee"] for each in earnings] == [net] * bool(net)
    assert [each["held_usd"] for each in sellers] == [net] * bool(net)


def _taken_look(fault_case: FaultCase, earning: Mapping[str, Any], *, paid: int) -> Act:
    """Take a look that ends with this amount at the seller, once."""
    task = _look_task(fault_case, earning)

    def right(_: Outcome) -> None:
        """A look that failed is found again by the next run of the finder."""
        if "lookAt" in _earning(fault_case):
            assert fault_case.run(task).is_taken
        recorded = _earning(fault_case)
        assert recorded["transferred"] - recorded.get("reversed", 0) == paid
        [transfer] = _stripe(fault_case, f"/v1/transfers?transfer_group={earning['orderID']}")["data"]
        assert transfer["amount"] - transfer["amount_reversed"] == paid
        assert "lookAt" not in recorded

    return Act(task, right)


def _look_task(fault_case: FaultCase, earning: Mapping[str, Any]) -> Invocation:
    _TaskQueue(fault_case, "PAYOUT_QUEUE_URL")
    return Invocation("payments.payout_worker", sqs_batch({"orderID": earning["orderID"]}), clock.now() + _MOMENT)


def _earned(fault_case: FaultCase) -> dict[str, Any]:
    """Sell a ticket; return the seller's earnings, which are due."""
    _completed(fault_case)
    return _earning(fault_case)


def _earning(fault_case: FaultCase) -> dict[str, Any]:
    [item] = fault_case.items("payments", "earning#")
    return item


def _ready(fault_case: FaultCase) -> None:
    """Connect an account of the seller, which is ready."""
    fault_case.http("POST", "/api/payouts/account", by=fault_case.seller)
    [item] = fault_case.items("payments", "account#")
    _stripe(fault_case, f"/local/accounts/{item['stripeAccount']}", "status=ready")


# Set-up

_MOMENT = timedelta(seconds=3)


class _TaskQueue:
    """An empty queue of tasks, whose URL is in the environment."""

    def __init__(self, fault_case: FaultCase, variable: str) -> None:
        self._sqs: Any = client("sqs")
        self._url = self._sqs.create_queue(QueueName=f"tasks-{fault_case.name}")["QueueUrl"]
        fault_case.environment |= {variable: self._url}

    def tasks(self) -> list[dict[str, str]]:
        """The distinct tasks, of which a retry may have queued some twice."""
        tasks: dict[str, dict[str, str]] = {}
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            tasks |= {message["Body"]: json.loads(message["Body"]) for message in messages}
        return [*tasks.values()]


class _Bus:
    """A bus whose events arrive in a queue, with a dead-letter queue."""

    def __init__(self, fault_case: FaultCase) -> None:
        self._sqs: Any = client("sqs")
        eventbridge: Any = client("events")
        bus = f"bus-{fault_case.name}"
        self._arrived = self._sqs.create_queue(QueueName=f"arrived-{fault_case.name}")["QueueUrl"]
        self._unpublished = self._sqs.create_queue(QueueName=f"unpublished-{fault_case.name}")["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:000000000000:arrived-{fault_case.name}"
        eventbridge.create_event_bus(Name=bus)
        pattern = json.dumps({"source": [{"prefix": "admit-one."}]})
        eventbridge.put_rule(Name="all", EventBusName=bus, EventPattern=pattern)
        eventbridge.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
        fault_case.environment |= {
            "EVENT_BUS_NAME": bus,
            "EVENT_SOURCE": "admit-one.tickets",
            "RELAY_DLQ_URL": self._unpublished,
        }

    def arrived(self) -> dict[str, Any]:
        """The details of the events that arrived, by event id: consumers ignore duplicates."""
        details = [json.loads(body)["detail"] for body in self._bodies(self._arrived)]
        return {detail["metadata"]["id"]: detail for detail in details}

    def unpublished(self) -> dict[str, Any]:
        """The events of the records in the relay's dead-letter queue."""
        records = [json.loads(body) for body in self._bodies(self._unpublished)]
        return {record["dynamodb"]["NewImage"]["event"]["M"]["id"]["S"]: record for record in records}

    def _bodies(self, queue: str) -> list[str]:
        found = self._sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [message["Body"] for message in found]


def _created_event() -> events.TicketCreated:
    return events.TicketCreated.model_validate(
        {"id": new_id(), "version": 1, "currency": "usd", "userID": new_id()} | BODY
    )


def _ticket(fault_case: FaultCase) -> dict[str, Any]:
    """Create a ticket in Tickets."""
    fault_case.table("tickets")
    made: dict[str, Any] = fault_case.http("POST", "/api/tickets", BODY, by=fault_case.seller)
    return made


def _ticket_data(ticket: Mapping[str, Any]) -> dict[str, Any]:
    return {key: ticket[key] for key in ("id", "version", "title", "price", "currency", "userID")}


def _known_ticket(fault_case: FaultCase) -> dict[str, Any]:
    """Create a ticket in Orders."""
    fault_case.table("orders")
    data = {"id": new_id(), "version": 1, "currency": "usd", "userID": fault_case.seller.id} | BODY
    fault_case.deliver("orders", "ticket:created", data)
    return data


def _placed(fault_case: FaultCase) -> dict[str, Any]:
    """Place an order in Orders."""
    ticket = _known_ticket(fault_case)
    made: dict[str, Any] = fault_case.http("POST", "/api/orders", {"ticketID": ticket["id"]}, by=fault_case.buyer)
    return made


def _sold(fault_case: FaultCase) -> dict[str, Any]:
    """Place an order in Orders that is paid."""
    placed = _placed(fault_case)
    for event_type in ("payment:authorized", "payment:created"):
        assert fault_case.run(paid(event_type, placed)).is_taken
    return placed


def _payable(fault_case: FaultCase) -> dict[str, Any]:
    """Create an order in Payments."""
    fault_case.table("payments")
    data = _order_data(fault_case, {"id": new_id(), "currency": "usd"} | BODY)
    fault_case.deliver("payments", "order:created", data)
    return data


def _started(fault_case: FaultCase) -> tuple[dict[str, Any], str]:
    """Create an order in Payments with a started payment; also returns its PaymentIntent."""
    placed = _payable(fault_case)
    return placed, fault_case.http("POST", "/api/payments", {"orderId": placed["id"]}, by=fault_case.buyer)["stripeId"]


def _captured(fault_case: FaultCase, *, card: str = "pm_card_visa") -> tuple[dict[str, Any], str]:
    """Create an order in Payments that awaits its money, which is captured; also returns its PaymentIntent."""
    placed, stripe_id = _started(fault_case)
    _confirm(fault_case, stripe_id, card=card)
    fault_case.deliver("payments", "order:awaiting-payment", placed | {"status": "awaiting:payment", "version": 2})
    return placed, stripe_id


def _completed(fault_case: FaultCase, *, card: str = "pm_card_visa") -> tuple[dict[str, Any], str]:
    """Create a completed order in Payments; also returns its PaymentIntent."""
    placed, stripe_id = _captured(fault_case, card=card)
    fault_case.deliver("payments", "order:completed", placed | {"status": "completed", "version": 3})
    return placed, stripe_id


def _order_data(fault_case: FaultCase, ticket: Mapping[str, Any]) -> dict[str, Any]:
    """The data of an `order:created` event."""
    held = {key: ticket[key] for key in ("id", "title", "price", "currency")}
    held |= {"hold": 1, "sellerID": fault_case.seller.id, "fee": "0.50"}
    deadline = clock.to_rfc3339(clock.now() + timedelta(minutes=5))
    return {
        "id": new_id(),
        "version": 1,
        "status": "created",
        "userID": fault_case.buyer.id,
        "expiresAt": deadline,
        "ticket": held,
    }


def _orders(fault_case: FaultCase) -> list[dict[str, Any]]:
    return [item for item in fault_case.items("orders", "user#") if item["sk"].startswith("order#")]


def _copy(fault_case: FaultCase) -> dict[str, Any]:
    [copy] = fault_case.items("orders", "ticket#")
    return copy


def _payment(fault_case: FaultCase) -> dict[str, Any]:
    [payment] = fault_case.items("payments", "order#")
    return payment


def _is_cancelled(fault_case: FaultCase, reason: str) -> None:
    [item] = _orders(fault_case)
    assert (item["status"], item["reason"], item["version"]) == ("cancelled", reason, 2)
    copy = _copy(fault_case)
    assert "holdOrderID" not in copy
    assert copy["holdNumber"] == 2


def _stripe(fault_case: FaultCase, path: str, form: str | None = None) -> Any:
    return ask_stripe(fault_case.environment["STRIPE_API_BASE"], path, form)


def _confirm(fault_case: FaultCase, stripe_id: str, *, card: str = "pm_card_visa") -> None:
    """Confirm the payment as the buyer's browser does."""
    _stripe(fault_case, f"/v1/payment_intents/{stripe_id}/confirm", f"payment_method={card}")


def _intents(fault_case: FaultCase, placed: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = _stripe(fault_case, "/v1/payment_intents?limit=100")["data"]
    return [intent for intent in found if intent["metadata"].get("orderID") == placed["id"]]


def _charge_by_hand(fault_case: FaultCase, placed: Mapping[str, Any]) -> str:
    """Take money at Stripe with a PaymentIntent that has our metadata but is not ours; returns its id."""
    card = "confirm=true&payment_method=pm_card_visa&allowed_payment_method_types[]=card&capture_method=automatic"
    metadata = f"metadata[stage]={os.environ['STAGE']}&metadata[orderID]={placed['id']}"
    return str(_stripe(fault_case, "/v1/payment_intents", f"amount=1000&currency=usd&{card}&{metadata}")["id"])


def _refunds(fault_case: FaultCase, stripe_id: str) -> list[dict[str, Any]]:
    return list(_stripe(fault_case, f"/v1/refunds?payment_intent={stripe_id}")["data"])
