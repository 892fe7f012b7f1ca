"""Changes and deletions of accounts, at once."""

import hashlib
import secrets
from collections import Counter
from datetime import timedelta
from typing import Any

from functions.auth.account_closing import QUIET
from functions.auth.link import Purpose
from shared import clock
from shared.ids import UserID
from tests.support.lambda_events import Person
from tests.support.race_environment import WINDOW, Sandbox, expired, http, order
from tests.support.worker_pool import Invocation

PASSWORD = "correct horse"


def test_one_of_20_resets_with_one_link_succeeds(sandbox: Sandbox) -> None:
    user = _sign_up(sandbox, "forgetful@example.com")
    token = _add_link(sandbox, user, Purpose.RESET, user.email)
    passwords = [f"battery staple {number}" for number in range(20)]

    outcomes = sandbox.at_once([_reset(token, password) for password in passwords])

    assert Counter((outcome.status, outcome.code) for outcome in outcomes) == {(200, ""): 1, (410, "link_expired"): 19}
    [new] = [password for password, outcome in zip(passwords, outcomes, strict=True) if outcome.status == 200]
    assert [sandbox.one(_sign_in(user.email, password)).status for password in (new, PASSWORD)] == [200, 401]


def test_a_new_address_wins_against_links_to_the_old_one(sandbox: Sandbox) -> None:
    users = [_sign_up(sandbox, f"old-{number}@example.com") for number in range(8)]
    calls = []
    for number, user in enumerate(users):
        verification = _add_link(sandbox, user, Purpose.VERIFY, user.email)
        change = _add_link(sandbox, user, Purpose.CHANGE_EMAIL, f"new-{number}@example.com")
        calls += [_verify(verification), _verify(change)]

    outcomes = sandbox.at_once(calls)

    assert [outcome.status for outcome in outcomes[1::2]] == [204] * 8
    assert {outcome.status for outcome in outcomes[::2]} <= {204, 410}
    addresses = {f"new-{number}@example.com": user.id for number, user in enumerate(users)}
    assert {item["email"]: item["userID"] for item in _items(sandbox, "email#")} == addresses
    assert {item["email"]: item["id"] for item in _items(sandbox, "user#") if item["emailVerified"]} == addresses


def test_one_of_ten_users_gets_an_address_that_all_change_to(sandbox: Sandbox) -> None:
    users = [_sign_up(sandbox, f"user-{number}@example.com") for number in range(10)]
    tokens = [_add_link(sandbox, user, Purpose.CHANGE_EMAIL, "wanted@example.com") for user in users]

    outcomes = sandbox.at_once([_verify(token) for token in tokens])

    assert Counter((outcome.status, outcome.code) for outcome in outcomes) == {(204, ""): 1, (409, "email_in_use"): 9}
    [owner] = [user.id for user, outcome in zip(users, outcomes, strict=True) if outcome.status == 204]
    claims = {item["email"]: item["userID"] for item in _items(sandbox, "email#")}
    assert claims == {"wanted@example.com": owner} | {user.email: user.id for user in users if user.id != owner}


def test_a_deletion_racing_orders_erases_nobody_with_an_open_order(sandbox: Sandbox) -> None:
    users = [_sign_up(sandbox, f"leaving-{number}@example.com") for number in range(12)]
    tickets = sandbox.on_sale(len(users))
    # The orders come at different times: some before the deletion looks, some between its look and its write.
    runners = [[http("DELETE", "/api/users/me", {"password": PASSWORD}, by=user)] for user in users]
    for number, (user, ticket) in enumerate(zip(users, tickets, strict=True)):
        runners.append([http("GET", "/api/orders", by=user)] * 4 * number + [order(ticket, user)])
    deletions = [outcomes[0] for outcomes in sandbox.race(runners)[: len(users)]]
    assert {(outcome.status, outcome.code) for outcome in deletions} <= {(202, ""), (409, "order_open")}
    closed = {user.id for user, outcome in zip(users, deletions, strict=True) if outcome.status == 202}
    buyers = {placed["userID"] for placed in sandbox.orders()}

    _erase(sandbox)
    assert _known(sandbox) == {user.id for user in users} - (closed - buyers)

    sandbox.settle()
    late = clock.now() + WINDOW + timedelta(minutes=1)
    sandbox.at_once([expired(placed, at=late) for placed in sandbox.orders()], processes=4)
    _erase(sandbox)
    assert _known(sandbox) == {user.id for user in users} - closed
    assert {item["userID"] for item in _items(sandbox, "email#")} == _known(sandbox)


def test_ten_deletions_of_one_account_close_it_once(sandbox: Sandbox) -> None:
    user = _sign_up(sandbox, "impatient@example.com")

    outcomes = sandbox.at_once([http("DELETE", "/api/users/me", {"password": PASSWORD}, by=user) for _ in range(10)])

    assert {outcome.status for outcome in outcomes} == {202}
    [item] = _items(sandbox, "user#")
    assert (item["revision"], item["sessions"]) == (1, {})


def _sign_up(sandbox: Sandbox, email: str) -> Person:
    signed_up = sandbox.one(http("POST", "/api/users/signup", {"email": email, "password": PASSWORD}))
    assert signed_up.status == 201
    return Person(UserID(signed_up.json["id"]), email)


def _add_link(sandbox: Sandbox, user: Person, purpose: Purpose, email: str) -> str:
    """Store a link with the user, as the mail sender does, and return its token."""
    secret = secrets.token_urlsafe()
    link = {
        "purpose": {"S": purpose},
        "email": {"S": email},
        "expiresAt": {"N": str(clock.to_millis(clock.now() + purpose.life))},
    }
    sandbox.race_environment.database.update_item(
        TableName=sandbox.tables["auth"],
        Key={"pk": {"S": f"user#{user.id}"}},
        UpdateExpression="SET links.#digest = :link",
        ExpressionAttributeNames={"#digest": hashlib.sha256(secret.encode()).hexdigest()},
        ExpressionAttributeValues={":link": {"M": link}},
    )
    return f"{user.id}.{secret}"


def _reset(token: str, password: str) -> Invocation:
    return http("POST", "/api/users/password/reset", {"token": token, "password": password})


def _verify(token: str) -> Invocation:
    return http("POST", "/api/users/email/verify", {"token": token})


def _sign_in(email: str, password: str) -> Invocation:
    return http("POST", "/api/users/signin", {"email": email, "password": password})


def _erase(sandbox: Sandbox) -> None:
    sandbox.one(Invocation("auth.eraser", {}, clock.now() + QUIET + timedelta(seconds=10)))


def _items(sandbox: Sandbox, kind: str) -> list[dict[str, Any]]:
    return [item for item in sandbox.items("auth") if item["pk"].startswith(kind)]


def _known(sandbox: Sandbox) -> set[str]:
    """The users who are not erased."""
    return {item["id"] for item in _items(sandbox, "user#")}
