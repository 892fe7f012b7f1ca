"""Auth: signing up, in and out, and the current user."""

import io
import json
import logging
import time
from typing import Any

import pytest
from argon2 import PasswordHasher

from functions.auth import actions, passwords
from functions.auth.store import UserStore
from functions.auth.tokens import Tokens
from shared import table
from shared.ids import is_id
from shared.table import Contention
from shared.telemetry import logger
from tests.support.lambda_events import http_event
from tests.support.signing_key import SigningKey
from tests.support.world import Response, World

EMAIL = "someone@example.com"
PASSWORD = "correct horse"
CREDENTIALS = ("/api/users/signup", "/api/users/signin")


@pytest.fixture(autouse=True)
def signing_key(world: World, monkeypatch: pytest.MonkeyPatch) -> SigningKey:
    return SigningKey(monkeypatch)


def accounts(world: World) -> list[dict[str, Any]]:
    """Return the items of users, without the counters of attempts."""
    return [item for item in world.items("auth") if not item["pk"].startswith("attempts#")]


def sign_up(world: World, email: str = EMAIL, password: str = PASSWORD) -> Response:
    return world.call("POST", "/api/users/signup", {"email": email, "password": password})


def sign_in(world: World, email: str = EMAIL, password: str = PASSWORD) -> Response:
    return world.call("POST", "/api/users/signin", {"email": email, "password": password})


def who(world: World, **headers: str) -> Any:
    answer = world.call("GET", "/api/users/currentuser", headers=headers)
    assert answer.status == 200
    return answer.json["currentUser"]


# Signing up


def test_sign_up_returns_the_user_and_a_token(world: World) -> None:
    answer = sign_up(world)

    assert answer.status == 201
    assert answer.json.keys() == {"id", "email", "emailVerified", "emailSuppressed", "verification", "token"}
    assert is_id(answer.json["id"])
    assert answer.json["email"] == EMAIL
    assert answer.headers["Cache-Control"] == "no-store"
    assert who(world, authorization=f"Bearer {answer.json['token']}") == {
        "id": answer.json["id"],
        "email": EMAIL,
        "emailVerified": False,
        "emailSuppressed": False,
        "verification": "optional",
    }


def test_sign_up_stores_the_user_but_not_the_password(world: World) -> None:
    """The user and the claim on the e-mail address are stored."""
    user_id = sign_up(world).json["id"]

    items = {item["pk"]: item for item in accounts(world)}
    sessions = items[f"user#{user_id}"].pop("sessions")
    assert items.keys() == {f"user#{user_id}", f"email#{EMAIL}"}
    assert items[f"user#{user_id}"] == {
        "pk": f"user#{user_id}",
        "id": user_id,
        "email": EMAIL,
        "emailVerified": False,
        "createdAt": 1795435200000,
        "passwordVersion": 0,
        "revision": 0,
        "links": {},
    }
    assert [*sessions.values()] == [{"client": "unknown client", "createdAt": 1795435200000}]
    assert items[f"email#{EMAIL}"]["passwordHash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in str(items)


def test_an_email_can_be_used_once_in_any_spelling(world: World) -> None:
    sign_up(world)
    kept = accounts(world)
    answer = sign_up(world, "  SomeOne@EXAMPLE.com ", "another password")

    assert (answer.status, answer.code) == (409, "email_in_use")
    assert not answer.cookies
    assert accounts(world) == kept


def test_concurrent_sign_ups_with_one_email_have_one_winner(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    hash_password = passwords.hash_password
    answers = []

    def meanwhile(password: str) -> str:
        monkeypatch.setattr(passwords, "hash_password", hash_password)
        answers.append(sign_up(world, EMAIL, "the faster one"))
        return hash_password(password)

    monkeypatch.setattr(passwords, "hash_password", meanwhile)
    answers.append(sign_up(world))

    assert [answer.status for answer in answers] == [201, 409]
    assert len(accounts(world)) == 2, "nothing is stored of the loser"
    assert sign_in(world, password="the faster one").json["id"] == answers[0].json["id"]
    assert sign_in(world).status == 401


def test_a_sign_up_whose_first_write_was_applied_succeeds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The response of the first write was lost."""
    write_all = table._write_all

    def lose_the_answer(*args: Any) -> None:
        monkeypatch.setattr(table, "_write_all", write_all)
        write_all(*args)
        raise Contention

    monkeypatch.setattr(table, "_write_all", lose_the_answer)

    assert sign_up(world).status == 201
    assert sign_in(world).status == 200


def test_no_user_is_created_if_the_token_cannot_be_signed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET_ARN", "no-such-secret")

    assert sign_up(world).status == 500
    assert accounts(world) == []


@pytest.mark.parametrize("length", [8, 128])
@pytest.mark.parametrize("character", ["x", "é", "🎫", " "])
def test_password_length_is_in_characters_without_trimming(
    world: World, character: str, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    normalised = []

    def hash_password(password: str) -> str:
        normalised.append(password)
        return "hash"

    monkeypatch.setattr(passwords, "hash_password", hash_password)

    assert sign_up(world, password=character * length).status == 201
    assert normalised == [character * length]


@pytest.mark.parametrize(
    "password", ["🎫" * 7, "🎫" * 129, "e\u0301" * 7, "e\u0301" * 129, "", "x" * 60_000, "\u1100\u1161" * 7]
)
def test_a_password_out_of_bounds_is_refused_with_the_limits(world: World, password: str) -> None:
    answer = sign_up(world, password=password)

    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.json["errors"] == [{"message": "must have 8 to 128 characters", "field": "password"}]
    assert world.items("auth") == []


@pytest.mark.parametrize("character", ["\0", "\n", "\t", "\x7f", "\x85"])
def test_a_new_password_has_no_control_characters(world: World, character: str) -> None:
    answer = sign_up(world, password=f"correct{character}horse")

    assert answer.json["errors"] == [{"message": "must not contain control characters", "field": "password"}]
    assert world.items("auth") == []


# Signing in


def test_sign_in_answers_as_sign_up_does(world: World) -> None:
    user_id = sign_up(world).json["id"]
    world.time.advance(hours=1)
    answer = sign_in(world, "Someone@Example.com")

    assert answer.status == 200
    assert answer.json.keys() == {"id", "email", "emailVerified", "emailSuppressed", "verification", "token"}
    assert (answer.json["id"], answer.json["email"]) == (user_id, EMAIL)
    assert who(world, authorization=f"Bearer {answer.json['token']}")["id"] == user_id


@pytest.mark.parametrize("password", ["correct horse ", " correct horse", "Correct horse", "x", "correct horse\x00"])
def test_another_password_is_wrong(world: World, password: str) -> None:
    sign_up(world)
    answer = sign_in(world, password=password)

    assert (answer.status, answer.code) == (401, "bad_credentials")
    assert not answer.cookies


# One password in all its Unicode encodings (RFC 8265, OpaqueString)

SPELLINGS = {
    "an accent": ("p\u00e4sswort1", "pa\u0308sswort1"),
    "two accents": ("\u1e69\u1e69\u1e69\u1e69\u1e69\u1e69\u1e69\u1e69", "s\u0307\u0323" * 8),
    "Hangul": ("\ud55c\uad6d\uc5b4" * 3, "\u1112\u1161\u11ab\u1100\u116e\u11a8\u110b\u1165" * 3),
    "a space that does not break": ("correct horse", "correct\u00a0horse"),
    "an ideographic space": ("correct horse", "correct\u3000horse"),
    "an angstrom": ("\u00e5ngstr\u00f6m \u00c5", "a\u030angstro\u0308m \u212b"),
    "128 characters in 512": ("\u1f82" * 128, "\u03b1\u0313\u0300\u0345" * 128),
}


@pytest.mark.parametrize("spellings", SPELLINGS.values(), ids=SPELLINGS)
def test_equivalent_spellings_of_a_password_match(world: World, spellings: tuple[str, str]) -> None:
    for number, (first, second) in enumerate([spellings, spellings[::-1]]):
        email = f"someone-{number}@example.com"
        assert sign_up(world, email, first).status == 201
        assert sign_in(world, email, first).status == 200
        assert sign_in(world, email, second).status == 200


@pytest.mark.parametrize("password", ["passwort1", "P\u00e4sswort1", "p\u00e4sswort\u00b9", "\uff50\u00e4sswort1"])
def test_case_and_look_alikes_do_not_match(world: World, password: str) -> None:
    sign_up(world, password="p\u00e4sswort1")

    assert sign_in(world, password=password).status == 401


def was_hashed_as_typed(world: World, password: str) -> None:
    """Sign up a user whose password was hashed without normalisation, as before RFC 8265 was applied."""
    sign_up(world)
    world.tables.resource.Table("auth").update_item(
        Key={"pk": f"email#{EMAIL}"},
        UpdateExpression="SET passwordHash = :hash",
        ExpressionAttributeValues={":hash": passwords.hash_password(password)},
    )


@pytest.mark.parametrize(
    "typed",
    ["pa\u0308sswort1", "correct\u00a0horse", "cor\trect horse", "a\u0308" * 4, "\u0958" * 128],
    ids=["NFD", "a space", "a control character", "short when normalised", "long when normalised"],
)
def test_a_password_hashed_without_normalisation_still_matches(world: World, typed: str) -> None:
    was_hashed_as_typed(world, typed)

    assert sign_in(world, password=typed).status == 200
    assert sign_in(world, password=typed).status == 200, "also after rehashing"


def test_sign_in_rehashes_a_password_hashed_as_typed(world: World) -> None:
    """After that, the password matches in any spelling."""
    composed, typed = SPELLINGS["an accent"]
    was_hashed_as_typed(world, typed)
    assert sign_in(world, password=composed).status == 401

    assert sign_in(world, password=typed).status == 200
    assert sign_in(world, password=composed).status == 200
    assert sign_in(world, password=typed).status == 200


def test_a_wrong_password_replaces_no_hash(world: World) -> None:
    was_hashed_as_typed(world, "pa\u0308sswort1")
    kept = [item for item in world.items("auth") if item["pk"].startswith("email#")]
    assert sign_in(world, password="pa\u0308sswort2").status == 401

    assert [item for item in world.items("auth") if item["pk"].startswith("email#")] == kept


def test_a_concurrently_changed_hash_is_not_replaced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    was_hashed_as_typed(world, "pa\u0308sswort1")
    hash_password = passwords.hash_password

    def meanwhile(password: str) -> str:
        monkeypatch.setattr(passwords, "hash_password", hash_password)
        was_hashed_as_typed(world, "another password")
        return hash_password(password)

    monkeypatch.setattr(passwords, "hash_password", meanwhile)

    assert sign_in(world, password="pa\u0308sswort1").status == 200
    assert sign_in(world, password="another password").status == 200


@pytest.mark.parametrize("password", ["", "x" * 129, "e\u0301" * 129, "x" * 60_000])
def test_an_impossible_password_is_refused_with_the_limits(world: World, password: str) -> None:
    answer = sign_in(world, password=password)

    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.json["errors"] == [{"message": "must have 1 to 128 characters", "field": "password"}]


def test_a_password_that_is_slow_to_normalise_is_refused(world: World) -> None:
    """Python sorts combining marks in quadratic time: 1.6 s for these."""
    body = json.dumps({"email": EMAIL, "password": "a" + "\u0301\u0316" * 16_000}, ensure_ascii=False)
    began = time.process_time()

    for path in CREDENTIALS:
        assert world.call("POST", path, raw=body).status == 400
    assert time.process_time() - began < 0.5


def test_unknown_email_and_wrong_password_get_the_same_answer(world: World) -> None:
    sign_up(world)
    wrong = sign_in(world, password="not the password")
    unknown = sign_in(world, "nobody@example.com", "not the password")

    def words(answer: Response) -> dict[str, Any]:
        return {name: value for name, value in answer.json.items() if name != "requestId"}

    assert (wrong.status, words(wrong)) == (unknown.status, words(unknown))
    assert wrong.headers == unknown.headers


@pytest.mark.parametrize(("password", "hashes"), [("not the password", 1), ("pa\u0308sswort1", 2)])
def test_an_unknown_email_costs_the_same_hashes_and_calls(
    world: World, monkeypatch: pytest.MonkeyPatch, password: str, hashes: int
) -> None:
    sign_up(world)
    done: list[str] = []

    class Recorder(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Any:  # noqa: A002
            done.append(str(hash).rpartition("$")[0].rpartition("$")[0])
            return super().verify(hash, password)

    def record(call: str, real: Any) -> Any:
        def recorded(*args: Any) -> Any:
            done.append(call)
            return real(*args)

        return recorded

    monkeypatch.setattr(passwords, "hasher", Recorder)
    monkeypatch.setattr(UserStore, "count", record("count", UserStore.count))
    monkeypatch.setattr(UserStore, "account", record("account", UserStore.account))
    sign_in(world, password=password)
    wrong = done.copy()
    done.clear()
    sign_in(world, "nobody@example.com", password)

    assert wrong == done == ["count", "count", "count", "account", *["$argon2id$v=19$m=19456,t=2,p=1"] * hashes]


def test_the_dummy_hash_has_the_parameters_of_real_ones() -> None:
    assert not passwords.hasher().check_needs_rehash(passwords.DUMMY_HASH)


def test_the_password_of_the_dummy_hash_signs_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "DUMMY_HASH", passwords.hash_password(PASSWORD))

    assert not passwords.is_password(PASSWORD, None)


# Cookies, and the current user

COOKIES = {
    "__Host-admit-one": "Path=/; Max-Age={}; HttpOnly; Secure; SameSite=Lax",
    "admit-one": "Path=/; Max-Age={}; HttpOnly; SameSite=Lax",
}


@pytest.fixture(params=COOKIES)
def cookie_name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the session cookie's name with TLS and without."""
    monkeypatch.setenv("SESSION_COOKIE", request.param)
    return str(request.param)


@pytest.mark.parametrize("path", CREDENTIALS)
def test_the_session_cookie_is_http_only_and_lives_as_the_token(world: World, path: str, cookie_name: str) -> None:
    answer = sign_up(world)
    if path == "/api/users/signin":
        answer = sign_in(world)

    *_, cookie = answer.cookies
    assert cookie == f"{cookie_name}={answer.json['token']}; {COOKIES[cookie_name].format(43200)}"


def test_sign_out_clears_the_cookie_under_both_names(world: World, cookie_name: str) -> None:
    """The names are the current one and the former one."""
    answer = world.call("POST", "/api/users/signout")

    assert (answer.status, answer.text) == (204, "")
    assert answer.cookies == [
        f"{cookie_name}=; {COOKIES[cookie_name].format(0)}",
        "session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
    ]


def test_without_a_token_there_is_no_current_user(world: World) -> None:
    assert who(world) is None


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_authorization_scheme_is_case_insensitive(world: World, scheme: str) -> None:
    token = sign_up(world).json["token"]

    assert who(world, authorization=f"{scheme} {token}")["email"] == EMAIL


def test_the_cookie_identifies_the_user(world: World, cookie_name: str) -> None:
    token = sign_up(world).json["token"]
    event = http_event("GET", "/api/users/currentuser") | {"cookies": ["theme=dark", f"{cookie_name}={token}"]}

    assert json.loads(world.invoke("auth.api", event)["body"])["currentUser"]["email"] == EMAIL


def test_a_cookie_in_the_headers_identifies_the_user(world: World, cookie_name: str) -> None:
    token = sign_up(world).json["token"]

    assert who(world, cookie=f"theme=dark; {cookie_name}={token}")["email"] == EMAIL


def test_a_session_under_the_former_cookie_name_continues(world: World) -> None:
    token = sign_up(world).json["token"]

    assert who(world, cookie=f"session={token}")["email"] == EMAIL


JUNK = "abc.def.ghi"
BESIDE_A_GOOD_ONE = {
    "junk before it": "__Host-admit-one={junk}; __Host-admit-one={good}",
    "junk after it": "__Host-admit-one={good}; __Host-admit-one={junk}",
    "junk of the old name": "session={junk}; __Host-admit-one={good}",
    "another user of the old name": "session={other}; __Host-admit-one={good}",
    "two of the old name": "session={junk}; session={good}",
    "nothing before it": "__Host-admit-one=; __Host-admit-one={good}",
    "the same junk a hundred times": "; ".join(["session={junk}"] * 100) + "; session={good}",
    "a flood of the old name": "; ".join(f"session={number}.b.c" for number in range(100))
    + "; __Host-admit-one={good}",
}


@pytest.mark.parametrize("cookie", BESIDE_A_GOOD_ONE.values(), ids=BESIDE_A_GOOD_ONE)
def test_other_cookies_of_the_name_do_not_hide_a_valid_one(world: World, cookie: str) -> None:
    """A sibling subdomain can set them; this signed users out, or in as another user."""
    names = {
        "good": sign_up(world).json["token"],
        "other": sign_up(world, "other@example.com").json["token"],
        "junk": JUNK,
    }

    assert who(world, cookie=cookie.format(**names))["email"] == EMAIL


def test_many_cookies_cost_at_most_five_checks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    monkeypatch.setattr(Tokens, "read", lambda _self, token: looked_at.append(token))
    cookie = "; ".join(f"session={number}.b.c" for number in range(1_000))

    assert who(world, cookie=cookie) is None
    assert who(world, authorization="Session " + " ".join(f"{number}.b.c" for number in range(1_000))) is None
    assert looked_at == [f"{number}.b.c" for number in (*range(5), *range(5))]


def test_the_header_takes_precedence_over_the_cookie(world: World) -> None:
    mine = sign_up(world).json["token"]
    other = sign_up(world, "other@example.com").json["token"]

    assert who(world, authorization=f"Bearer {other}", cookie=f"session={mine}")["email"] == "other@example.com"
    assert who(world, authorization="Bearer garbage", cookie=f"session={mine}") is None
    assert who(world, authorization="", cookie=f"session={mine}") is None


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Basic dTpw", "garbage", "Bearer a.b.c", "Bearer é", "Bearer  "]
)
def test_an_invalid_header_means_no_user(world: World, header: str) -> None:
    assert who(world, authorization=header) is None


@pytest.mark.parametrize("cookie", ["session", "session=", "session=garbage", "sessions=x", "=;;", "session=a.b.c"])
def test_an_invalid_cookie_means_no_user(world: World, cookie: str) -> None:
    assert who(world, cookie=cookie) is None


def test_a_session_ends_with_its_token(world: World) -> None:
    token = sign_up(world).json["token"]
    world.time.advance(hours=12, milliseconds=-1)
    assert who(world, cookie=f"session={token}")

    world.time.advance(milliseconds=1)
    assert who(world, cookie=f"session={token}") is None


def test_health_needs_no_user(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JWT_SECRET_ARN")
    answer = world.call("GET", "/api/health")

    assert (answer.status, answer.json) == (200, {"status": "ok"})


# Invalid input

BAD_BODIES: dict[str, tuple[str, int, str | None]] = {
    "no body": ("", 400, None),
    "no JSON": ("{", 400, None),
    "words": ("hello", 400, None),
    "two documents": ("{}{}", 400, None),
    "null": ("null", 400, None),
    "an array": ("[]", 400, None),
    "an array of bodies": ('[{"email":"a@example.com","password":"12345678"},{}]', 400, None),
    "an array of a body": ('[{"email":"a@example.com","password":"12345678"}]', 400, None),
    "a string": ('"a"', 400, None),
    "a number": ("1", 400, None),
    "nothing": ("{}", 400, "email"),
    "no password": ('{"email":"a@example.com"}', 400, "password"),
    "no e-mail": ('{"password":"12345678"}', 400, "email"),
    "null e-mail": ('{"email":null,"password":"12345678"}', 400, "email"),
    "null password": ('{"email":"a@example.com","password":null}', 400, "password"),
    "a number as password": ('{"email":"a@example.com","password":12345678}', 400, "password"),
    "a boolean as e-mail": ('{"email":true,"password":"12345678"}', 400, "email"),
    "a list as password": ('{"email":"a@example.com","password":["12345678"]}', 400, "password"),
    "an object as password": ('{"email":"a@example.com","password":{"$ne":""}}', 400, "password"),
    "an object as e-mail": ('{"email":{"S":"a@example.com"},"password":"12345678"}', 400, "email"),
    "no e-mail address": ('{"email":"a","password":"12345678"}', 400, "email"),
    "a control character": ('{"email":"a\\u0000@example.com","password":"12345678"}', 400, "email"),
    "a header in the e-mail": ('{"email":"a@example.com\\r\\nBcc: b@example.com","password":"12345678"}', 400, "email"),
    "an unknown field": ('{"email":"a@example.com","password":"12345678","admin":true}', 400, "admin"),
    "an id of one's own": ('{"email":"a@example.com","password":"12345678","id":"1"}', 400, "id"),
    "another case": ('{"Email":"a@example.com","password":"12345678"}', 400, "email"),
    "NaN": ('{"email":"a@example.com","password":NaN}', 400, None),
    "Infinity": ('{"email":"a@example.com","password":-Infinity}', 400, None),
    "a huge number": ('{"email":"a@example.com","password":1' + "0" * 4000 + "}", 400, "password"),
    "a number beyond reading": ('{"email":"a@example.com","password":1' + "0" * 5000 + "}", 400, None),
    "a number beyond floats": ('{"email":"a@example.com","password":1e999}', 400, None),
    "a lone surrogate": ('{"email":"a@example.com","password":"\\ud800aaaaaaa"}', 400, None),
    "a raw control character": ('{"email":"a@example.com","password":"1234\x005678"}', 400, None),
    "bottomless arrays": ("[" * 30_000, 400, None),
    "deep arrays": ("[" * 5_000 + "]" * 5_000, 400, None),
    "bottomless objects": ('{"a":' * 10_000, 400, None),
    "a long password": ('{"email":"a@example.com","password":"' + "1" * 129 + '"}', 400, "password"),
    "a long e-mail": ('{"email":"' + "a" * 60_000 + '@example.com","password":"12345678"}', 400, "email"),
    "a megabyte": ('{"email":"a@example.com","password":"' + "1" * 1_000_000 + '"}', 413, None),
}


@pytest.mark.parametrize(("raw", "status", "field"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_an_invalid_body_is_refused_by_field(world: World, raw: str, status: int, field: str | None) -> None:
    for path in CREDENTIALS:
        answer = world.call("POST", path, raw=raw)

        assert answer.status == status
        assert answer.code in {"invalid_request", "invalid_json", "body_too_large"}
        if field:
            assert field in [error.get("field") for error in answer.json["errors"]]
        assert not answer.cookies
    assert world.items("auth") == []


@pytest.mark.parametrize("path", CREDENTIALS)
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"])
def test_another_content_type_is_refused(world: World, path: str, content_type: str) -> None:
    """Therefore a form on another site cannot sign a user in."""
    body = {"email": EMAIL, "password": PASSWORD}
    answer = world.call("POST", path, body, headers={"Content-Type": content_type})

    assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert world.items("auth") == []


@pytest.mark.parametrize("path", CREDENTIALS)
def test_a_body_that_is_not_utf_8_is_refused(world: World, path: str) -> None:
    event = http_event("POST", path, {}) | {"body": "//79", "isBase64Encoded": True}

    assert world.invoke("auth.api", event)["statusCode"] == 400


def test_all_invalid_fields_are_named(world: World) -> None:
    answer = world.call("POST", "/api/users/signup", {"email": "x", "password": "x", "more": 1})

    assert {error["field"] for error in answer.json["errors"]} == {"email", "password", "more"}


def test_errors_repeat_neither_password_nor_email(world: World) -> None:
    answer = world.call("POST", "/api/users/signup", {"email": "who@where", "password": "secret"})

    assert "secret" not in answer.text
    assert "who@where" not in answer.text


# Logs


def test_logs_hold_no_password_token_or_email(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    lines = logging.StreamHandler(written)
    lines.setFormatter(logger.registered_formatter)
    logger.addHandler(lines)
    try:
        token = sign_up(world).json["token"]
        sign_up(world)
        sign_in(world)
        sign_in(world, password="another secret")
        sign_up(world, "someone@", "short")
        who(world, authorization=f"Bearer {token}", cookie=f"session={token}")
        monkeypatch.setattr(actions, "new_id", lambda: 1 / 0)
        assert sign_up(world).status == 500
    finally:
        logger._logger.removeHandler(lines)

    log = written.getvalue()
    assert log.count('"request"') == 7
    assert "ZeroDivisionError" in log
    for secret in (PASSWORD, "another secret", "short", EMAIL, "someone@", token, token.rpartition(".")[2]):
        assert secret not in log
