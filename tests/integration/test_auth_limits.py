"""Auth: the limits on failed sign-ins."""

import pytest

from functions.auth import passwords
from functions.auth.rate_limit import counters
from functions.auth.store import UserStore
from shared import aws, settings
from shared.ids import new_id
from shared.table import Contention, Table
from tests.support.signing_key import SigningKey
from tests.support.world import Response, World

EMAIL = "someone@example.com"
PASSWORD = "correct horse"
WRONG = "not the password"


@pytest.fixture(autouse=True)
def _user(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign up a user. Passwords are compared without real hashes, for speed."""
    SigningKey(monkeypatch)
    monkeypatch.setattr(passwords, "hash_password", lambda password: f"hash of {password}")
    monkeypatch.setattr(passwords, "is_password", lambda password, known: known == f"hash of {password}")
    assert world.call("POST", "/api/users/signup", {"email": EMAIL, "password": PASSWORD}).status == 201


def sign_in(world: World, password: str = WRONG, *, email: str = EMAIL, address: str = "203.0.113.7") -> Response:
    return world.call("POST", "/api/users/signin", {"email": email, "password": password}, source_ip=address)


def fail(world: World, times: int, *, email: str = EMAIL, address: str = "203.0.113.7") -> None:
    for _ in range(times):
        assert sign_in(world, email=email, address=address).status == 401


def counts(world: World, *, email: str = EMAIL, address: str = "203.0.113.7") -> list[int]:
    """Return the counters of this e-mail from this address: of the pair, the address, the e-mail."""
    kept = {item["pk"]: int(item["count"]) for item in world.items("auth") if item["pk"].startswith("attempts#")}
    expected = counters(email=email, address=address, now=world.time.now())
    return [kept.get(f"attempts#{counter.name}", 0) for counter in expected]


def test_ten_failures_of_a_pair_block_the_right_password(world: World) -> None:
    """A pair is one e-mail from one address."""
    fail(world, 10)
    answer = sign_in(world, PASSWORD)

    assert (answer.status, answer.code) == (429, "too_many_attempts")
    assert answer.headers["Retry-After"] == "900"
    assert not answer.cookies


def test_the_tenth_attempt_may_succeed(world: World) -> None:
    fail(world, 9)

    assert sign_in(world, PASSWORD).status == 200


def test_another_address_is_not_blocked(world: World) -> None:
    fail(world, 10)

    assert sign_in(world, PASSWORD, address="203.0.113.8").status == 200


def test_another_email_is_not_blocked(world: World) -> None:
    fail(world, 10, email="other@example.com")

    assert sign_in(world, PASSWORD).status == 200


def from_the_edge(world: World, monkeypatch: pytest.MonkeyPatch, *, proof: str, viewer: str) -> Response:
    """Sign in with a wrong password through CloudFront, whose own address is always the same."""
    secret = aws.secretsmanager().create_secret(Name=f"edge-{new_id()}", SecretString="the proof")
    monkeypatch.setenv("EDGE_SECRET_ARN", secret["ARN"])
    settings.load.cache_clear()
    return world.call(
        "POST",
        "/api/users/signin",
        {"email": EMAIL, "password": WRONG},
        headers={"X-Admit-One-Edge": proof, "X-Admit-One-Viewer": viewer},
        source_ip="198.51.100.200",
    )


def test_behind_the_edge_the_viewers_address_counts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from_the_edge(world, monkeypatch, proof="the proof", viewer="203.0.113.7")

    assert counts(world, address="203.0.113.7") == [1, 1, 1]
    assert counts(world, address="198.51.100.200") == [0, 0, 1]


@pytest.mark.parametrize("proof", ["", "a guess", "the proof ", "thé proof"])
def test_only_the_edge_can_set_the_viewers_address(world: World, monkeypatch: pytest.MonkeyPatch, proof: str) -> None:
    from_the_edge(world, monkeypatch, proof=proof, viewer="203.0.113.7")

    assert counts(world, address="198.51.100.200") == [1, 1, 1]
    assert counts(world, address="203.0.113.7") == [0, 0, 1]


def test_another_spelling_of_an_email_counts_as_the_same(world: World) -> None:
    fail(world, 5)
    fail(world, 5, email=" SOMEONE@example.com")

    assert sign_in(world, PASSWORD).status == 429


def test_fifty_failures_block_an_email_from_all_addresses(world: World) -> None:
    for network in range(5):
        fail(world, 10, address=f"198.51.100.{network}")
    answer = sign_in(world, PASSWORD)

    assert (answer.status, answer.code) == (429, "too_many_attempts")
    assert sign_in(world, email="other@example.com").status == 401


def test_three_hundred_failures_block_an_address(world: World) -> None:
    for number in range(30):
        fail(world, 10, email=f"user{number}@example.com")
    answer = sign_in(world, PASSWORD)

    assert (answer.status, answer.code) == (429, "too_many_attempts")
    assert sign_in(world, PASSWORD, address="203.0.113.8").status == 200


def test_an_unknown_email_is_counted_like_a_known_one(world: World) -> None:
    fail(world, 10, email="nobody@example.com")

    assert sign_in(world, email="nobody@example.com").status == 429


def test_counters_reset_when_the_window_ends(world: World) -> None:
    fail(world, 10)
    world.time.advance(minutes=14, seconds=59, milliseconds=500)
    answer = sign_in(world, PASSWORD)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "1")

    world.time.advance(seconds=1)
    assert sign_in(world, PASSWORD).status == 200


def test_a_success_neither_counts_nor_resets_the_counters(world: World) -> None:
    fail(world, 3)
    for _ in range(20):
        assert sign_in(world, PASSWORD).status == 200

    assert counts(world) == [3, 3, 3]


def test_an_attempt_is_counted_before_its_password_is_checked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Concurrent guesses therefore cannot pass the limit together."""
    statuses: list[int] = []

    def guess_again_meanwhile(_password: str, _known: str | None) -> bool:
        statuses.append(sign_in(world).status)
        return False

    monkeypatch.setattr(passwords, "is_password", guess_again_meanwhile)
    statuses.append(sign_in(world).status)

    assert statuses == [429] + [401] * 10


def test_the_atomic_count_decides_and_not_an_earlier_read(world: World) -> None:
    fail(world, 9)
    store = UserStore(Table("auth"))
    pair = counters(email=EMAIL, address="203.0.113.7", now=world.time.now())[0]

    assert [store.count(pair), store.count(pair)] == [True, False]


def test_a_blocked_attempt_is_not_counted(world: World) -> None:
    fail(world, 10)
    for _ in range(20):
        assert sign_in(world).status == 429

    assert counts(world) == [10, 10, 10], "one address must not be able to block an e-mail everywhere"


def test_an_attempt_blocked_by_email_is_uncounted_at_its_address(world: World) -> None:
    for network in range(5):
        fail(world, 10, address=f"198.51.100.{network}")
    for _ in range(20):
        assert sign_in(world).status == 429

    assert counts(world) == [0, 0, 50], "retries of one user must not block their whole address"


def test_an_attempt_blocked_by_address_does_not_count_for_email(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.auth.rate_limit.ADDRESS_LIMIT", 5)
    fail(world, 5, email="other@example.com")
    assert sign_in(world).status == 429

    assert counts(world) == [0, 5, 0]


def test_uncounting_uses_the_window_of_the_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.time.advance(minutes=14, seconds=59)

    def take_two_seconds(_password: str, _known: str | None) -> bool:
        world.time.advance(seconds=2)
        return True

    monkeypatch.setattr(passwords, "is_password", take_two_seconds)
    assert sign_in(world).status == 200

    assert counts(world) == [0, 0, 0]
    assert (
        sorted(int(item["count"]) for item in world.items("auth") if item["pk"].startswith("attempts#"))[:3] == [0] * 3
    )


def test_uncounting_never_goes_below_zero(world: World) -> None:
    store = UserStore(Table("auth"))
    pair = counters(email=EMAIL, address="203.0.113.7", now=world.time.now())[0]
    store.give_back(pair)
    store.count(pair)
    store.give_back(pair)
    store.give_back(pair)

    assert counts(world) == [0, 0, 0]


def test_an_attempt_that_ended_in_a_fault_stays_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(_store: UserStore, _email: str) -> None:
        raise Contention("the table is busy")

    monkeypatch.setattr(UserStore, "account", busy)
    answer = sign_in(world, PASSWORD)

    assert (answer.status, answer.code) == (503, "unavailable")
    assert counts(world) == [1, 1, 1]


def test_an_invalid_body_is_not_counted(world: World) -> None:
    world.call("POST", "/api/users/signin", {"email": EMAIL, "password": ""})

    assert counts(world) == [0, 0, 0]


def sign_up(world: World, number: int, *, address: str = "203.0.113.7") -> Response:
    body = {"email": f"new{number}@example.com", "password": PASSWORD}
    return world.call("POST", "/api/users/signup", body, source_ip=address)


def test_fifty_sign_ups_block_a_network(world: World) -> None:
    """The user of these tests has signed up from the same network."""
    assert {sign_up(world, number).status for number in range(49)} == {201}
    answer = sign_up(world, 49)

    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (429, "too_many_attempts", "900")
    assert sign_up(world, 49, address="203.0.113.8").status == 201
    assert sign_in(world, PASSWORD).status == 200, "users of that network can sign in"
    world.time.advance(minutes=15)
    assert sign_up(world, 50).status == 201


def test_sign_ups_with_a_known_email_count_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise one network could find out which of many addresses have accounts."""
    monkeypatch.setenv("SIGN_UPS_PER_NETWORK", "3")
    settings.load.cache_clear()
    statuses = [
        world.call("POST", "/api/users/signup", {"email": EMAIL, "password": PASSWORD}).status for _ in range(4)
    ]

    assert statuses == [409, 409, 429, 429]


def test_other_routes_count_no_failed_sign_ins(world: World) -> None:
    world.call("POST", "/api/users/signup", {"email": EMAIL, "password": WRONG})
    world.call("GET", "/api/users/currentuser", headers={"Authorization": "Bearer garbage"})

    assert counts(world) == [0, 0, 0]


def test_a_counter_outlives_its_window_and_then_expires(world: World) -> None:
    fail(world, 1)

    ends = int(world.time.now().timestamp()) + 15 * 60
    for item in world.items("auth"):
        if item["pk"].startswith("attempts#"):
            assert ends < item["ttl"] <= ends + 60 * 60


def test_counters_hold_no_email_and_no_address(world: World) -> None:
    fail(world, 1, email="nobody@example.com")

    kept = str([item for item in world.items("auth") if item["pk"].startswith("attempts#")])
    assert "nobody" not in kept
    assert "203.0.113.7" not in kept
