"""Device cookies: others cannot lock a user out of a browser in which they have signed in before."""

from collections.abc import Callable, Mapping
from typing import Any

import jwt
import pytest

from functions.auth import device, passwords
from functions.auth.keys import KeyRing, key_ring
from functions.auth.rate_limit import DEVICE_LIMIT
from functions.auth.tokens import Tokens
from shared import aws
from tests.support.signing_key import SigningKey
from tests.support.tokens import authorize
from tests.support.world import Response, World

EMAIL = "someone@example.com"
OTHER = "other@example.com"
RIGHT, WRONG = "correct horse", "battery staple"

type Cookie = str


@pytest.fixture
def key(world: World, monkeypatch: pytest.MonkeyPatch) -> SigningKey:
    monkeypatch.setattr(passwords, "hash_password", lambda password: f"hash of {password}")
    monkeypatch.setattr(passwords, "is_password", lambda password, known: known == f"hash of {password}")
    return SigningKey(monkeypatch)


@pytest.fixture(autouse=True)
def owner(world: World, key: SigningKey) -> Cookie:
    """Return the device cookie of the user, who has signed up in their browser."""
    return sign_up(world, EMAIL)


def sign_up(world: World, email: str) -> Cookie:
    return device_cookie(world.call("POST", "/api/users/signup", {"email": email, "password": RIGHT}))


def sign_in(
    world: World,
    password: str = RIGHT,
    *,
    cookie: Cookie | None = None,
    email: str = EMAIL,
    address: str = "203.0.113.7",
) -> Response:
    headers = {"Cookie": cookie} if cookie else {}
    body = {"email": email, "password": password}
    return world.call("POST", "/api/users/signin", body, headers=headers, source_ip=address)


def device_cookie(answer: Response) -> Cookie:
    """Return the device cookie of an answer as a browser sends it."""
    (found,) = (cookie for cookie in answer.cookies if cookie.startswith("__Host-admit-one-device-"))
    return str(found).partition(";")[0]


def value_of(cookie: Cookie) -> str:
    return cookie.partition("=")[2]


def lock_out(world: World, email: str = EMAIL) -> None:
    """Fail fifty times from five networks."""
    for network in range(5):
        for _ in range(10):
            assert sign_in(world, WRONG, email=email, address=f"198.51.100.{network}").status == 401
    assert sign_in(world, email=email).code == "too_many_attempts"


def test_the_owners_browser_is_not_locked_out(world: World, owner: Cookie) -> None:
    lock_out(world)

    assert sign_in(world, cookie=owner).status == 200
    assert sign_in(world).status == 429, "an unknown device still is"


def test_a_browser_that_signs_in_is_known(world: World, owner: Cookie) -> None:
    new = device_cookie(sign_in(world, address="203.0.113.99"))
    lock_out(world)

    assert sign_in(world, cookie=new).status == 200
    assert sign_in(world, cookie=owner).status == 200, "and the first one stays known"


def test_several_users_of_a_browser_are_known(world: World, owner: Cookie) -> None:
    other = sign_up(world, OTHER)
    lock_out(world)
    lock_out(world, OTHER)

    assert sign_in(world, cookie=f"{owner}; {other}").status == 200
    assert sign_in(world, cookie=f"{owner}; {other}", email=OTHER).status == 200


def test_a_device_has_ten_failures(world: World, owner: Cookie) -> None:
    assert {sign_in(world, WRONG, cookie=owner).status for _ in range(DEVICE_LIMIT)} == {401}
    answer = sign_in(world, cookie=owner)

    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (429, "too_many_attempts", "900")
    assert sign_in(world).status == 200, "failures on the device do not count for others"


def test_a_stolen_cookie_locks_out_no_other_device(world: World, owner: Cookie) -> None:
    stolen = device_cookie(sign_in(world))
    for number in range(100):
        sign_in(world, WRONG, cookie=stolen, address=f"198.51.100.{number}")

    assert sign_in(world, cookie=stolen).status == 429
    assert sign_in(world, cookie=owner).status == 200
    assert sign_in(world).status == 200


def test_successes_do_not_count(world: World, owner: Cookie) -> None:
    assert {sign_in(world, cookie=owner).status for _ in range(30)} == {200}


def resigned(key: SigningKey, cookie: Cookie, secret: str | None = None, **changes: Any) -> Cookie:
    """Return the cookie with other claims, signed with the stage's key or another."""
    name, _, value = cookie.partition("=")
    claims = jwt.decode(value, options={"verify_signature": False}) | changes
    key_id, own = key.current()
    return f"{name}={jwt.encode(claims, secret or own, algorithm='HS256', headers={'kid': key_id})}"


FORGERIES: Mapping[str, Callable[[SigningKey, Cookie, World], Cookie]] = {
    "signed with another key": lambda key, cookie, _: resigned(key, cookie, "k" * 64),
    "without a signature": lambda _, cookie, __: cookie.rpartition(".")[0] + ".",
    "for another user": lambda key, cookie, _: resigned(key, cookie, sub=device._digest(OTHER)),
    "of another stage": lambda key, cookie, _: resigned(key, cookie, iss="admit-one-prod"),
    "expired": lambda key, cookie, world: resigned(key, cookie, exp=int(world.time.now().timestamp())),
    "a session token": lambda key, cookie, _: resigned(key, cookie, aud="admit-one"),
    "of another user": lambda _, __, world: sign_up(world, OTHER),
    "junk": lambda _, cookie, __: cookie.partition("=")[0] + "=a.b.c",
    "under another name": lambda _, cookie, __: f"device={value_of(cookie)}",
}


def test_the_unforged_cookie_is_valid(world: World, key: SigningKey, owner: Cookie) -> None:
    lock_out(world)

    assert sign_in(world, cookie=resigned(key, owner)).status == 200


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_cookie_is_an_unknown_device(
    world: World, key: SigningKey, owner: Cookie, forge: Callable[[SigningKey, Cookie, World], Cookie]
) -> None:
    forged = forge(key, owner, world)
    lock_out(world)

    assert sign_in(world, cookie=forged).status == 429


def test_forged_cookies_give_no_counters_of_their_own(world: World, key: SigningKey, owner: Cookie) -> None:
    guesses = [sign_in(world, WRONG, cookie=resigned(key, owner, "k" * 64, jti=str(n))).status for n in range(11)]

    assert guesses == [401] * 10 + [429]


def test_a_device_cookie_is_no_session(world: World, owner: Cookie) -> None:
    value = value_of(owner)
    header = {"Authorization": f"Bearer {value}"}

    assert authorize(world, f"Bearer {value}")["context"] == {}
    assert world.call("GET", "/api/users/currentuser", headers=header).json == {"currentUser": None}
    assert sign_in(world, WRONG, cookie=owner).status == 401


def test_the_edges_header_counts_like_the_cookies(world: World, owner: Cookie) -> None:
    lock_out(world)
    headers = {"X-Admit-One-Device": f"a.b.c {value_of(owner)}"}
    body = {"email": EMAIL, "password": RIGHT}

    assert world.call("POST", "/api/users/signin", body, headers=headers).status == 200
    flood = " ".join(["a.b.c"] * 5)
    headers = {"X-Admit-One-Device": f"{flood} {value_of(owner)}"}
    assert world.call("POST", "/api/users/signin", body, headers=headers).status == 429


def test_the_cookie_is_out_of_scripts_reach_and_lasts_a_year(world: World) -> None:
    (cookie,) = (each for each in sign_in(world).cookies if each.startswith("__Host-admit-one-device-"))
    _, *attributes = str(cookie).split("; ")

    assert set(attributes) == {"Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=31536000"}


def test_the_cookie_shows_no_email(world: World, owner: Cookie) -> None:
    claims = jwt.decode(value_of(owner), options={"verify_signature": False})

    assert EMAIL not in str(claims)


def test_a_failed_sign_in_makes_no_device_known(world: World) -> None:
    assert sign_in(world, WRONG).cookies == []


def test_signing_out_keeps_the_device_known(world: World) -> None:
    assert not any("device" in cookie for cookie in world.call("POST", "/api/users/signout").cookies)


def test_two_rotations_of_the_key_make_devices_unknown(world: World, key: SigningKey, owner: Cookie) -> None:
    key.rotate()
    key_ring.cache_clear()
    lock_out(world)
    assert sign_in(world, cookie=owner).status == 200

    key.rotate()
    key_ring.cache_clear()
    assert sign_in(world, cookie=owner).status == 429


def test_a_key_that_cannot_be_read_is_an_unknown_device(
    world: World, key: SigningKey, owner: Cookie, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cookie of an old key must not fail the sign-in while Secrets Manager is down."""
    key.rotate()
    key.rotate()
    key_ring.cache_clear()
    sign_in(world)
    world.time.advance(seconds=2)
    monkeypatch.setattr(KeyRing, "_read_previous", lambda _: aws.secretsmanager().get_secret_value(SecretId="gone"))

    assert sign_in(world, cookie=owner).status == 200


def test_only_devices_of_this_stage_are_known(world: World, key: SigningKey) -> None:
    other = device.remember(Tokens(key_ring(key.arn), stage="prod"), EMAIL)
    lock_out(world)

    assert sign_in(world, cookie=f"{other.name}={other.value}").status == 429
