"""Auth: how often signing in may fail."""

import pytest

from functions.auth import passwords
from functions.auth.attempts import counters
from functions.auth.store import UserStore
from shared import aws, settings
from shared.ids import new_id
from shared.table import Busy, Table
from tests.handlers.signing_key import SigningKey
from tests.handlers.world import Answer, World

EMAIL = "someone@example.com"
PASSWORD = "correct horse"
WRONG = "not the password"


@pytest.fixture(autouse=True)
def _user(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who has signed up, and passwords without their cost."""
    SigningKey(monkeypatch)
    monkeypatch.setattr(passwords, "hash_password", lambda password: f"hash of {password}")
    monkeypatch.setattr(passwords, "is_password", lambda password, known: known == f"hash of {password}")
    assert world.call("POST", "/api/users/signup", {"email": EMAIL, "password": PASSWORD}).status == 201


def sign_in(world: World, password: str = WRONG, *, email: str = EMAIL, address: str = "203.0.113.7") -> Answer:
    return world.call("POST", "/api/users/signin", {"email": email, "password": password}, source_ip=address)


def fail(world: World, times: int, *, email: str = EMAIL, address: str = "203.0.113.7") -> None:
    for _ in range(times):
        assert sign_in(world, email=email, address=address).status == 401


def counts(world: World, *, email: str = EMAIL, address: str = "203.0.113.7") -> list[int]:
    """The counters of this e-mail from this address: both, the address, the e-mail."""
    kept = {item["pk"]: int(item["count"]) for item in world.items("auth") if item["pk"].startswith("attempts#")}
    asked = counters(email=email, address=address, now=world.time.now())
    return [kept.get(f"attempts#{counter.name}", 0) for counter in asked]


def test_after_ten_failures_for_an_email_from_one_address_the_right_password_does_not_help(world: World) -> None:
    fail(world, 10)
    answer = sign_in(world, PASSWORD)

    assert (answer.status, answer.code) == (429, "too_many_attempts")
    assert answer.headers["Retry-After"] == "900"
    assert not answer.cookies


def test_the_tenth_try_may_be_the_right_one(world: World) -> None:
    fail(world, 9)

    assert sign_in(world, PASSWORD).status == 200


def test_another_address_is_not_stopped_by_it(world: World) -> None:
    fail(world, 10)

    assert sign_in(world, PASSWORD, address="203.0.113.8").status == 200


def test_another_email_is_not_stopped_by_it(world: World) -> None:
    fail(world, 10, email="other@example.com")

    assert sign_in(world, PASSWORD).status == 200


def from_the_edge(world: World, monkeypatch: pytest.MonkeyPatch, *, proof: str, viewer: str) -> Answer:
    """A wrong password through CloudFront, whose own address is always the same."""
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


def test_behind_the_edge_people_are_counted_and_not_the_edge(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from_the_edge(world, monkeypatch, proof="the proof", viewer="203.0.113.7")

    assert counts(world, address="203.0.113.7") == [1, 1, 1]
    assert counts(world, address="198.51.100.200") == [0, 0, 1]


@pytest.mark.parametrize("proof", ["", "a guess", "the proof ", "thé proof"])
def test_whoever_is_not_the_edge_cannot_name_an_address(
    world: World, monkeypatch: pytest.MonkeyPatch, proof: str
) -> None:
    from_the_edge(world, monkeypatch, proof=proof, viewer="203.0.113.7")

    assert counts(world, address="198.51.100.200") == [1, 1, 1]
    assert counts(world, address="203.0.113.7") == [0, 0, 1]


def test_spelling_the_email_otherwise_is_the_same_email(world: World) -> None:
    fail(world, 5)
    fail(world, 5, email=" SOMEONE@example.com")

    assert sign_in(world, PASSWORD).status == 429


def test_after_fifty_failures_an_email_is_stopped_everywhere(world: World) -> None:
    for network in range(5):
        fail(world, 10, address=f"198.51.100.{network}")
    answer = sign_in(world, PASSWORD)

    assert (answer.status, answer.code) == (429, "too_many_attempts")
    assert sign_in(world, email="other@example.com").status == 401


def test_after_three_hundred_failures_an_address_is_stopped_for_everybody(world: World) -> None:
    for number in range(30):
        fail(world, 10, email=f"user{number}@example.com")
    answer = sign_in(world, PASSWORD)

    assert (answer.status, answer.code) == (429, "too_many_attempts")
    assert sign_in(world, PASSWORD, address="203.0.113.8").status == 200


def test_an_unknown_email_is_counted_like_a_known_one(world: World) -> None:
    fail(world, 10, email="nobody@example.com")

    assert sign_in(world, email="nobody@example.com").status == 429


def test_all_is_forgotten_when_the_window_ends(world: World) -> None:
    fail(world, 10)
    world.time.advance(minutes=14, seconds=59, milliseconds=500)
    answer = sign_in(world, PASSWORD)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "1")

    world.time.advance(seconds=1)
    assert sign_in(world, PASSWORD).status == 200


def test_a_success_counts_for_nothing_and_forgives_nothing(world: World) -> None:
    fail(world, 3)
    for _ in range(20):
        assert sign_in(world, PASSWORD).status == 200

    assert counts(world) == [3, 3, 3]


def test_a_try_is_counted_before_its_password_is_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """So guesses at once cannot slip through together: each sees those that are still being looked at."""
    statuses: list[int] = []

    def guess_again_meanwhile(_password: str, _known: str | None) -> bool:
        statuses.append(sign_in(world).status)
        return False

    monkeypatch.setattr(passwords, "is_password", guess_again_meanwhile)
    statuses.append(sign_in(world).status)

    assert statuses == [429] + [401] * 10


def test_the_count_itself_decides_and_not_what_was_read_before(world: World) -> None:
    fail(world, 9)
    store = UserStore(Table("auth"))
    pair = counters(email=EMAIL, address="203.0.113.7", now=world.time.now())[0]

    assert [store.count(pair), store.count(pair)] == [True, False]


def test_a_refused_try_is_counted_nowhere(world: World) -> None:
    fail(world, 10)
    for _ in range(20):
        assert sign_in(world).status == 429

    assert counts(world) == [10, 10, 10], "else one address alone could stop an e-mail everywhere"


def test_a_try_refused_for_its_email_is_given_back_to_its_address(world: World) -> None:
    for network in range(5):
        fail(world, 10, address=f"198.51.100.{network}")
    for _ in range(20):
        assert sign_in(world).status == 429

    assert counts(world) == [0, 0, 50], "else its owner's retries would stop everybody behind their address"


def test_a_try_refused_for_its_address_does_not_reach_the_email(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.auth.attempts.ADDRESS_LIMIT", 5)
    fail(world, 5, email="other@example.com")
    assert sign_in(world).status == 429

    assert counts(world) == [0, 5, 0]


def test_what_is_given_back_goes_to_the_window_it_was_counted_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.time.advance(minutes=14, seconds=59)

    def take_two_seconds(_password: str, _known: str | None) -> bool:
        world.time.advance(seconds=2)
        return True

    monkeypatch.setattr(passwords, "is_password", take_two_seconds)
    assert sign_in(world).status == 200

    assert {int(item["count"]) for item in world.items("auth") if item["pk"].startswith("attempts#")} == {0}


def test_giving_back_more_than_was_counted_leaves_nothing_below_zero(world: World) -> None:
    store = UserStore(Table("auth"))
    pair = counters(email=EMAIL, address="203.0.113.7", now=world.time.now())[0]
    store.give_back(pair)
    store.count(pair)
    store.give_back(pair)
    store.give_back(pair)

    assert counts(world) == [0, 0, 0]


def test_a_try_that_ended_in_a_fault_stays_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(_store: UserStore, _email: str) -> None:
        raise Busy("the table is busy")

    monkeypatch.setattr(UserStore, "account", busy)
    answer = sign_in(world, PASSWORD)

    assert (answer.status, answer.code) == (503, "unavailable")
    assert counts(world) == [1, 1, 1]


def test_a_body_that_does_not_fit_is_no_try(world: World) -> None:
    world.call("POST", "/api/users/signin", {"email": EMAIL, "password": ""})

    assert counts(world) == [0, 0, 0]


def test_only_signing_in_is_counted(world: World) -> None:
    world.call("POST", "/api/users/signup", {"email": EMAIL, "password": WRONG})
    world.call("GET", "/api/users/currentuser", headers={"Authorization": "Bearer garbage"})

    assert counts(world) == [0, 0, 0]


def test_a_counter_is_kept_beyond_its_window_and_then_forgotten(world: World) -> None:
    fail(world, 1)

    ends = int(world.time.now().timestamp()) + 15 * 60
    for item in world.items("auth"):
        if item["pk"].startswith("attempts#"):
            assert ends < item["ttl"] <= ends + 60 * 60


def test_no_counter_holds_an_email_or_an_address(world: World) -> None:
    fail(world, 1, email="nobody@example.com")

    kept = str([item for item in world.items("auth") if item["pk"].startswith("attempts#")])
    assert "nobody" not in kept
    assert "203.0.113.7" not in kept
