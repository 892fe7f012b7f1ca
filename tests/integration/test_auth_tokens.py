"""Auth: which tokens are valid, and that a rotation of the key signs no user out."""

import subprocess
import sys

import jwt
import pytest
from botocore.exceptions import ClientError

from functions.auth import passwords
from functions.auth.keys import Key, KeyRing, key_ring
from functions.auth.session import Session
from functions.auth.tokens import Tokens
from shared.ids import UserID, new_id
from tests.support.signing_key import SigningKey
from tests.support.tokens import EMAIL, FORGERIES, Forge, authorize, sign_up, signed, token_for
from tests.support.world import World

NOBODY = {"isAuthorized": True, "context": {}}


@pytest.fixture(autouse=True)
def signing_key(world: World, monkeypatch: pytest.MonkeyPatch) -> SigningKey:
    monkeypatch.setattr(passwords, "hash_password", lambda _password: "hash")
    return SigningKey(monkeypatch)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of the secret's version stages, in the order in which they are read."""
    read = KeyRing._read
    seen: list[str] = []

    def record(ring: KeyRing, stage: str) -> Key:
        seen.append(stage)
        return read(ring, stage)

    monkeypatch.setattr(KeyRing, "_read", record)
    return seen


def is_believed(world: World, token: str) -> bool:
    """Return whether the authorizer accepts a token; currentuser must agree."""
    believed = authorize(world, f"Bearer {token}") != NOBODY
    header = {"Authorization": f"Bearer {token}"}
    answer = world.call("GET", "/api/users/currentuser", headers=header)
    assert answer.status == 200
    assert (answer.json["currentUser"] is not None) is believed
    return believed


def _session_of(token: str) -> str:
    return str(jwt.decode(token, options={"verify_signature": False})["sid"])


def forget_keys() -> None:
    """Forget the cached keys, as in a new execution environment."""
    key_ring.cache_clear()


# Valid tokens


def test_a_valid_token_identifies_its_user_to_other_services(world: World) -> None:
    user = sign_up(world)

    assert authorize(world, f"Bearer {user['token']}") == {
        "isAuthorized": True,
        "context": {
            "userID": user["id"],
            "email": EMAIL,
            "emailVerified": "true",
            "sessionID": _session_of(user["token"]),
        },
    }


def test_a_token_has_issuer_audience_and_lifetime(world: World, signing_key: SigningKey) -> None:
    user = sign_up(world)
    key_id, _ = signing_key.current()
    now = int(world.time.now().timestamp())

    assert jwt.get_unverified_header(user["token"]) == {"alg": "HS256", "kid": key_id, "typ": "JWT"}
    assert jwt.decode(user["token"], options={"verify_signature": False}) == {
        "iss": "admit-one-test",
        "aud": "admit-one",
        "sub": user["id"],
        "sid": _session_of(user["token"]),
        "iat": now,
        "exp": now + 12 * 60 * 60,
    }


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", " Bearer"])
def test_the_authorization_scheme_is_case_insensitive(world: World, scheme: str) -> None:
    assert authorize(world, f"{scheme} {token_for(world)}") != NOBODY


def test_a_token_lasts_exactly_twelve_hours(world: World) -> None:
    token = token_for(world)
    world.time.advance(hours=12, milliseconds=-1)
    assert is_believed(world, token)

    world.time.advance(milliseconds=1)
    assert not is_believed(world, token)


# Invalid tokens


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_token_is_invalid(world: World, signing_key: SigningKey, forge: Forge) -> None:
    good = token_for(world)
    key_id, secret = signing_key.current()
    claims = jwt.decode(good, options={"verify_signature": False})
    assert is_believed(world, signed(claims, secret, {"kid": key_id})), "the unforged token must be valid"

    assert not is_believed(world, forge(claims, {"kid": key_id}, secret))


def test_changing_any_character_of_a_token_makes_it_invalid(world: World) -> None:
    token = token_for(world)
    for position, character in enumerate(token[:-1]):  # the last character also holds unused bits
        changed = "A" if character != "A" else "B"
        forged = token[:position] + changed + token[position + 1 :]

        assert authorize(world, f"Bearer {forged}") == NOBODY, position


@pytest.mark.parametrize("header", [None, "", " ", "Bearer", "Bearer ", "Basic dTpw", "Token x", "Bearer\tx"])
def test_a_header_without_a_token_is_invalid(world: World, header: str | None) -> None:
    assert authorize(world, header) == NOBODY


SEVERAL = {
    "the first": "Session {good} abc.def.ghi",
    "the last of five": "Session a.b.c a.b.c a.b.c x {good}",
    "the one alone": "session {good}",
    "another user's after it": "Session {good} {other}",
    "between more space": "Session   abc.def.ghi   {good}  ",
}


@pytest.mark.parametrize("header", SEVERAL.values(), ids=SEVERAL)
def test_the_first_valid_candidate_counts(world: World, header: str) -> None:
    user = sign_up(world)
    sent = header.format(good=user["token"], other=token_for(world))

    assert authorize(world, sent)["context"]["userID"] == user["id"]
    answer = world.call("GET", "/api/users/currentuser", headers={"Authorization": sent})
    assert answer.json["currentUser"]["id"] == user["id"]


@pytest.mark.parametrize(
    "header",
    [
        "Session",
        "Session ",
        "Session a.b.c d.e.f",
        "Session 1 2 3 4 5 {good}",
        "Session {good},{good}",
        "Bearer a.b.c {good}",
    ],
)
def test_only_the_first_five_candidates_are_checked(world: World, header: str) -> None:
    assert authorize(world, header.format(good=token_for(world))) == NOBODY


def test_candidates_with_unknown_keys_cost_one_key_lookup(world: World, reads: list[str]) -> None:
    token_for(world)
    forget_keys()
    reads.clear()
    made_up = [jwt.encode({"sub": "x"}, "k" * 64, headers={"kid": new_id()}) for _ in range(5)]

    assert authorize(world, f"Session {' '.join(made_up)}") == NOBODY
    assert reads == ["AWSCURRENT", "AWSCURRENT", "AWSPREVIOUS"]


def test_a_token_without_its_scheme_is_invalid(world: World) -> None:
    assert authorize(world, token_for(world)) == NOBODY


def test_the_authorizer_ignores_cookies(world: World) -> None:
    """Its answer is cached by the header alone."""
    event = {"version": "2.0", "headers": {"cookie": f"session={token_for(world)}"}}

    assert world.invoke("auth.authorizer", event | {"cookies": [event["headers"]]}) == NOBODY


def test_a_token_of_another_stage_is_invalid(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Tokens(key_ring(SigningKey(monkeypatch).arn), stage="other")

    session = Session(id=new_id(), client="curl", created_at=world.time.now())
    token = other.issue(UserID(new_id()), session)

    assert other.read(token)
    assert Tokens(other._keys, stage="test").read(token) is None


# Rotation


def test_a_rotation_signs_no_user_out(world: World, signing_key: SigningKey) -> None:
    before = token_for(world)
    signing_key.rotate()
    forget_keys()
    after = token_for(world)

    assert jwt.get_unverified_header(before)["kid"] != jwt.get_unverified_header(after)["kid"]
    for _ in range(2):
        assert is_believed(world, before)
        assert is_believed(world, after)
        forget_keys()


def test_an_environment_with_the_old_key_accepts_new_tokens(world: World, signing_key: SigningKey) -> None:
    """It accepts them at once, although its cached key is not the one that signed them."""
    old = token_for(world)
    assert is_believed(world, old)
    warm = key_ring(signing_key.arn)
    world.time.advance(seconds=1)
    signing_key.rotate()
    key_id, secret = signing_key.current()
    claims = jwt.decode(old, options={"verify_signature": False})

    assert is_believed(world, signed(claims, secret, {"kid": key_id}))
    assert is_believed(world, old)
    assert key_ring(signing_key.arn) is warm


def test_two_rotations_end_a_session(world: World, signing_key: SigningKey) -> None:
    token = token_for(world)
    signing_key.rotate()
    signing_key.rotate()
    forget_keys()

    assert not is_believed(world, token)


def test_a_retired_key_is_forgotten_within_five_minutes(world: World, signing_key: SigningKey) -> None:
    token = token_for(world)
    signing_key.rotate()
    signing_key.rotate()
    world.time.advance(minutes=5, milliseconds=-1)
    assert is_believed(world, token)

    world.time.advance(milliseconds=1)
    assert not is_believed(world, token)


def test_a_retired_key_is_forgotten_even_if_in_use(world: World, signing_key: SigningKey) -> None:
    token = token_for(world)
    signing_key.rotate()
    world.time.advance(minutes=4)
    is_believed(world, signed({}, "k" * 64, {"kid": new_id()}))
    signing_key.rotate()
    for _ in range(10):
        world.time.advance(minutes=1)
        is_believed(world, token)

    assert not is_believed(world, token)


def test_a_pending_key_signs_nothing(world: World, signing_key: SigningKey) -> None:
    """A rotation has begun but not finished."""
    token = token_for(world)
    key_id, secret = signing_key.prepare()
    claims = jwt.decode(token, options={"verify_signature": False})

    assert not is_believed(world, signed(claims, secret, {"kid": key_id}))
    assert is_believed(world, token)


def test_new_tokens_use_the_new_key_within_five_minutes(world: World, signing_key: SigningKey) -> None:
    token_for(world)
    signing_key.rotate()
    world.time.advance(minutes=5)

    assert jwt.get_unverified_header(token_for(world))["kid"] == signing_key.current()[0]


# Calls to Secrets Manager


def test_many_tokens_need_one_read_of_one_key(world: World, reads: list[str]) -> None:
    for _ in range(5):
        assert is_believed(world, token_for(world))
        world.time.advance(seconds=30)

    assert reads == ["AWSCURRENT"]


def test_the_previous_key_is_read_only_if_the_current_differs(
    world: World, signing_key: SigningKey, reads: list[str]
) -> None:
    token = token_for(world)
    signing_key.rotate()
    forget_keys()
    reads.clear()
    for _ in range(5):
        assert is_believed(world, token)

    assert reads == ["AWSCURRENT", "AWSCURRENT", "AWSPREVIOUS"]


def test_unknown_key_ids_do_not_cause_a_read_each(world: World, reads: list[str]) -> None:
    token = token_for(world)
    reads.clear()
    for _ in range(20):
        assert not is_believed(world, signed({}, "k" * 64, {"kid": new_id()}))
        world.time.advance(milliseconds=100)

    assert reads == ["AWSCURRENT", "AWSPREVIOUS"] * 2
    assert is_believed(world, token)


def test_a_previous_key_is_found_right_after_the_cache_expires(world: World, signing_key: SigningKey) -> None:
    """A lookup of an unknown id just before must not prevent it."""
    old = token_for(world)
    signing_key.rotate()
    forget_keys()
    token_for(world)
    world.time.advance(minutes=5, milliseconds=-100)
    is_believed(world, signed({}, "k" * 64, {"kid": new_id()}))
    world.time.advance(milliseconds=200)

    assert is_believed(world, old)


def test_a_token_without_a_key_id_causes_no_read(world: World, reads: list[str]) -> None:
    assert authorize(world, "Bearer a.b.c") == NOBODY
    assert reads == []


def test_an_aws_fault_is_raised_and_never_cached(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short outage of Secrets Manager must not deny a valid token for five minutes, API Gateway's caching period."""
    token = token_for(world)
    forget_keys()

    def fail(_ring: KeyRing, _stage: str) -> Key:
        raise ClientError({"Error": {"Code": "InternalServiceError", "Message": ""}}, "GetSecretValue")

    with monkeypatch.context() as patch:
        patch.setattr(KeyRing, "_read", fail)
        for _ in range(2):
            with pytest.raises(ClientError):
                authorize(world, f"Bearer {token}")
    assert is_believed(world, token)


def test_a_failed_key_lookup_does_not_count_as_done(
    world: World, signing_key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = token_for(world)
    signing_key.rotate()
    forget_keys()
    token_for(world)

    def fail(_ring: KeyRing) -> tuple[Key, ...]:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "GetSecretValue")

    with monkeypatch.context() as patch:
        patch.setattr(KeyRing, "_read_previous", fail)
        with pytest.raises(ClientError):
            authorize(world, f"Bearer {old}")

    assert is_believed(world, old)


def test_the_repr_of_a_key_hides_its_secret(signing_key: SigningKey) -> None:
    key = key_ring(signing_key.arn).current()

    assert key.secret == signing_key.current()[1]
    assert key.secret not in repr(key)


# Cold start


def test_the_authorizer_imports_only_what_it_needs() -> None:
    heavy = "argon2 pydantic email_validator boto3 aws_lambda_powertools shared.http"
    code = f"import sys, functions.auth.authorizer; print([name for name in {heavy.split()} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603

    assert done.stdout.strip() == "[]"


def test_the_api_imports_argon2_only_to_hash() -> None:
    code = "import sys, functions.auth.api; print('argon2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603

    assert done.stdout.strip() == "False"
