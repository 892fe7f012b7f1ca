"""Guessing: passwords, who has an account, ids, and what else can be learned or used up by trying.

Proved in tests/handlers already: the limits of failed sign-ins and that guesses at once are all counted
(test_auth_limits.py); that an unknown e-mail gets the same words, the same calls and the same hashing, and the cookie's
flags (test_auth.py); that no log line holds a password, token or e-mail (test_auth.py).
"""

import pytest

from functions.auth import passwords
from tests.handlers.signing_key import SigningKey
from tests.handlers.stripe_in_process import Stripe
from tests.handlers.world import World

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
def test_a_header_that_claims_another_address_gives_no_more_guesses(world: World, name: str) -> None:
    statuses = [sign_in(world, WRONG, **{name: f"198.51.100.{number}"}) for number in range(11)]

    assert statuses == [401] * 10 + [429]


def test_an_idempotency_key_gives_no_more_guesses_and_hides_none(world: World) -> None:
    """Sign-ins take no notice of it: their answers hold tokens."""
    assert [sign_in(world, WRONG, Idempotency_Key="same") for _ in range(11)] == [401] * 10 + [429]
    assert [item["pk"] for item in world.items("auth") if item["pk"].startswith("idempotency")] == []


def test_once_stopped_right_and_wrong_guesses_look_the_same(world: World) -> None:
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
def test_an_id_of_a_year_that_no_calendar_has_is_not_found(
    world: World, stripe: Stripe, path: str, name: str, code: str, millennium: str
) -> None:
    """A ULID's time goes on to the year 10889, Python's to 9999: this was a crash."""
    answer = world.call("POST", path, {name: f"{millennium}ZZZZZZZZZZZZZZZZ"}, by=world.person())

    assert (answer.status, answer.code) == (404, code)


def test_nobody_is_waited_for_because_an_id_comes_from_the_future(world: World) -> None:
    """Two seconds of a function's time for each call would be cheap to ask for."""
    before = world.time.now()
    answer = world.call("POST", "/api/orders", {"ticketID": "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"}, by=world.person())

    assert "Retry-After" not in answer.headers
    assert world.time.now() == before
