"""Sessions: what a user sees of them, and that tokens end with them."""

from typing import Any

import pytest

from functions.auth import actions, passwords
from functions.auth.session import LIFE, MAX_SESSIONS, Session
from functions.auth.store import UserStore
from functions.auth.user import User
from shared.ids import UserID, new_id
from shared.table import Table
from tests.support.lambda_events import Person
from tests.support.signing_key import SigningKey
from tests.support.tokens import EMAIL, authorize, sign_up
from tests.support.world import World

NOBODY = {"isAuthorized": True, "context": {}}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(autouse=True)
def signing_key(world: World, monkeypatch: pytest.MonkeyPatch) -> SigningKey:
    monkeypatch.setattr(passwords, "hash_password", str)
    monkeypatch.setattr(passwords, "is_password", lambda password, password_hash: password == password_hash)
    return SigningKey(monkeypatch)


def sign_in(world: World, user_agent: str = "curl/8.9.1") -> dict[str, Any]:
    body = {"email": EMAIL, "password": "correct horse"}
    user: dict[str, Any] = world.call("POST", "/api/users/signin", body, headers={"User-Agent": user_agent}).json
    return user


def person(world: World, token: str) -> Person:
    """Return the caller whom the authorizer finds, as API Gateway passes it on."""
    context = authorize(world, f"Bearer {token}")["context"]
    return Person(UserID(context["userID"]), context["email"], context["sessionID"])


def is_accepted(world: World, token: str) -> bool:
    header = f"Bearer {token}"
    shown = world.call("GET", "/api/users/currentuser", headers={"Authorization": header}).json["currentUser"]
    accepted = bool(authorize(world, header) != NOBODY)
    assert accepted is (shown is not None), "Auth and the authorizer agree"
    return accepted


def sessions(world: World, token: str) -> list[dict[str, Any]]:
    answer = world.call("GET", "/api/users/sessions", by=person(world, token))
    assert answer.status == 200
    found: list[dict[str, Any]] = answer.json["sessions"]
    return found


def test_sessions_are_listed_newest_first_with_their_clients(world: World) -> None:
    sign_up(world)
    world.time.advance(minutes=1)
    sign_in(world, FIREFOX)
    world.time.advance(minutes=1)
    token = sign_in(world)["token"]

    listed = sessions(world, token)
    assert [(each["client"], each["current"]) for each in listed] == [
        ("curl", True),
        ("Firefox on Linux", False),
        ("unknown client", False),
    ]
    assert listed[0]["createdAt"] == "2026-11-23T12:02:00.000Z"
    assert listed[0]["expiresAt"] == "2026-11-24T00:02:00.000Z"


def test_signing_out_ends_this_session_only(world: World) -> None:
    other = sign_up(world)["token"]
    token = sign_in(world)["token"]

    answer = world.call("POST", "/api/users/signout", headers={"Authorization": f"Bearer {token}"})

    assert answer.status == 204
    assert not is_accepted(world, token)
    assert is_accepted(world, other)
    again = world.call("POST", "/api/users/signout", headers={"Authorization": f"Bearer {token}"})
    assert again.status == 204


def test_signing_out_without_a_session_succeeds(world: World) -> None:
    assert world.call("POST", "/api/users/signout").status == 204


def test_one_of_several_sessions_can_be_ended(world: World) -> None:
    lost = sign_up(world)["token"]
    token = sign_in(world)["token"]
    ident = person(world, lost).session_id

    for _ in range(2):  # repeated: no effect
        assert world.call("DELETE", f"/api/users/sessions/{ident}", by=person(world, token)).status == 204

    assert not is_accepted(world, lost)
    assert is_accepted(world, token)
    assert [each["current"] for each in sessions(world, token)] == [True]


def test_ending_the_current_session_clears_its_cookie(world: World) -> None:
    token = sign_up(world)["token"]
    caller = person(world, token)
    other = world.call("DELETE", "/api/users/sessions/01ARZ3NDEKTSV4RRFFQ69G5FAV", by=caller)
    own = world.call("DELETE", f"/api/users/sessions/{caller.session_id}", by=caller)

    assert not other.cookies
    assert all("Max-Age=0" in cookie for cookie in own.cookies)
    assert own.cookies


def test_all_sessions_can_be_ended(world: World) -> None:
    tokens = [sign_up(world)["token"], sign_in(world)["token"], sign_in(world)["token"]]

    answer = world.call("DELETE", "/api/users/sessions", by=person(world, tokens[0]))

    assert answer.status == 204
    assert not any(is_accepted(world, token) for token in tokens)
    assert is_accepted(world, sign_in(world)["token"])


def test_nobody_ends_a_session_of_another_user(world: World) -> None:
    victim = sign_up(world)["token"]
    stranger = person(world, sign_up(world, "stranger@example.com")["token"])

    ident = person(world, victim).session_id
    assert world.call("DELETE", f"/api/users/sessions/{ident}", by=stranger).status == 204
    assert world.call("DELETE", "/api/users/sessions", by=stranger).status == 204

    assert is_accepted(world, victim)


def test_a_user_has_a_limited_number_of_sessions(world: World) -> None:
    first = sign_up(world)["token"]
    others = []
    for _ in range(MAX_SESSIONS):
        world.time.advance(seconds=1)
        others.append(sign_in(world)["token"])

    assert not is_accepted(world, first), "the oldest session has ended"
    assert all(is_accepted(world, token) for token in others)


def test_a_session_ends_by_the_clock(world: World) -> None:
    token = sign_up(world)["token"]
    world.time.advance(seconds=LIFE.total_seconds() - 1)
    assert is_accepted(world, token)
    world.time.advance(seconds=1)
    assert not is_accepted(world, token)
    assert len(sessions(world, sign_in(world)["token"])) == 1


def test_a_token_from_before_sessions_is_refused_and_the_account_goes_on(world: World) -> None:
    user = sign_up(world)
    table = world.tables.resource.Table("auth")
    table.update_item(Key={"pk": f"user#{user['id']}"}, UpdateExpression="REMOVE sessions, revision")

    assert not is_accepted(world, user["token"])
    assert is_accepted(world, sign_in(world)["token"])


def test_a_session_that_begins_while_all_are_ended_ends_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two writes conflict, and the one that comes second decides again."""
    user = sign_up(world)
    store, other = UserStore(Table("auth")), UserStore(Table("auth"))
    begun = Session(id=new_id(), client="curl", created_at=world.time.now())

    def read_before_another_begins(user_id: str) -> User | None:
        found = UserStore.user(store, user_id)
        if found and begun not in found.sessions and found.sessions:
            other.replace(found, found.begin_session(begun))
            other.commit()
        return found

    monkeypatch.setattr(store, "user", read_before_another_begins)
    actions.end_sessions(store, UserID(user["id"]), lambda _: True)

    left = other.user(user["id"])
    assert left
    assert left.sessions == ()
    assert not is_accepted(world, user["token"])
