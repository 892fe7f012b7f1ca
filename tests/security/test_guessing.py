"""Guessing: passwords, existing accounts, ids, and resources that can be exhausted by trying.

Already covered in tests/integration: the limits of failed sign-ins, and that concurrent guesses are all counted
(test_auth_limits.py); that an unknown e-mail gets the same text, calls and hashing, and the cookie's flags
(test_auth.py); that no log line holds a password, token or e-mail (test_auth.py).
"""

import pytest

from functions.auth import passwords
from shared import clock
from shared.ids import new_id
from tests.support.signing_key import SigningKey
from tests.support.stripe_in_process import Stripe
from tests.support.world import World

EMAIL = "someone@example.com"
RIGHT, WRONG = "correct horse", "battery staple"


@pytest.fixture(autouse=True)
def _user(world: World, key: SigningKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "hash_password", lambda password: f"hash of {password}")
    monkeypatch.setattr(passwords, "is_password", lambda password, known: known == f"hash of {password}")
    assert world.call("POST", "/api/users/signup", {"email": EMAIL, "password": RIGHT}).status == 201


def sign_in(world: World, password: str, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return world.call("POST", "/api/users/signin", {"email": EMAIL, "password": password}, headers=named).status


@pytest.mark.parametrize("name", ["X_Forwarded_For", "X_Real_IP", "Forwarded", "CF_Connecting_IP", "Client_IP"])
def test_a_forged_address_header_allows_no_more_guesses(world: World, name: str) -> None:
    statuses = [sign_in(world, WRONG, **{name: f"198.51.100.{number}"}) for number in range(11)]

    assert statuses == [401] * 10 + [429]


def test_an_idempotency_key_allows_no_more_guesses(world: World) -> None:
    """Sign-in ignores it, because its responses hold tokens."""
    assert [sign_in(world, WRONG, Idempotency_Key="same") for _ in range(11)] == [401] * 10 + [429]
    assert [item["pk"] for item in world.items("auth") if item["pk"].startswith("idempotency")] == []


def test_blocked_right_and_wrong_guesses_look_the_same(world: World) -> None:
    for _ in range(10):
        sign_in(world, WRONG)
    answers = [
        world.call("POST", "/api/users/signin", {"email": EMAIL, "password": password}) for password in (WRONG, RIGHT)
    ]

    assert [answer.status for answer in answers] == [429, 429]
    wrong, right = ({**answer.json, "requestId": ""} for answer in answers)
    assert wrong == right
    assert answers[0].headers == answers[1].headers
    assert answers[0].cookies == answers[1].cookies == []


@pytest.mark.parametrize("millennium", ["7ZZZZZZZZZ", "76EZ91ZPZZ", "76EZ91ZQ00"])
@pytest.mark.parametrize(
    ("path", "name", "code"),
    [("/api/orders", "ticketID", "ticket_not_found"), ("/api/payments", "orderId", "order_not_found")],
)
def test_an_id_with_an_impossible_year_is_not_found(
    world: World, stripe: Stripe, path: str, name: str, code: str, millennium: str
) -> None:
    """A ULID's time ends in the year 10889, Python's in 9999; this was a crash."""
    answer = world.call("POST", path, {name: f"{millennium}ZZZZZZZZZZZZZZZZ"}, by=world.person())

    assert (answer.status, answer.code) == (404, code)


def test_an_id_from_the_future_asks_for_no_retry(world: World) -> None:
    answer = world.call("POST", "/api/orders", {"ticketID": "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"}, by=world.person())

    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [("POST", "/api/orders", "ticketID"), ("POST", "/api/payments", "orderId"), ("GET", "/api/payments/{}", None)],
)
def test_a_made_up_recent_id_occupies_no_function(
    world: World, stripe: Stripe, monkeypatch: pytest.MonkeyPatch, method: str, path: str, name: str | None
) -> None:
    """The function does not wait for an event that may never come; the caller does."""
    waits: list[float] = []
    monkeypatch.setattr(clock, "sleep", waits.append)
    ident = new_id()
    answer = world.call(method, path.format(ident), {name: ident} if name else None, by=world.person())

    assert (answer.status, answer.headers["Retry-After"], waits) == (404, "1", [])
