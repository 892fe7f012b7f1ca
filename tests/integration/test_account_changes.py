"""Links in mails: verification, a forgotten password, another address; and a new password."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, EndpointConnectionError

from functions.auth import account_changes, passwords
from functions.auth.link import MAX_LINKS, Purpose
from functions.auth.store import UserStore
from functions.auth.user import LinkExpired
from shared import aws
from shared.ids import UserID, new_id
from shared.table import Table
from tests.support.lambda_events import Person
from tests.support.ses import Ses
from tests.support.signing_key import SigningKey
from tests.support.tokens import EMAIL, authorize, sign_up
from tests.support.world import Response, World

PASSWORD = "correct horse"
NEW_PASSWORD = "battery staple"
OTHER_EMAIL = "other@example.com"


@pytest.fixture
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a stage whose users must verify their address."""
    monkeypatch.setenv("EMAIL_VERIFICATION", "required")


@pytest.fixture(autouse=True)
def signing_key(world: World, ses: Ses, monkeypatch: pytest.MonkeyPatch) -> SigningKey:
    world.ses = ses
    monkeypatch.setattr(passwords, "hash_password", lambda password: f"hash of {password}")
    monkeypatch.setattr(passwords, "is_password", lambda password, known: known == f"hash of {password}")
    return SigningKey(monkeypatch)


def person(world: World, token: str) -> Person:
    context = authorize(world, f"Bearer {token}")["context"]
    return Person(UserID(context["userID"]), context["email"], context["sessionID"], context["emailVerified"] == "true")


def is_accepted(world: World, token: str) -> bool:
    return bool(authorize(world, f"Bearer {token}")["context"])


def mailed(world: World, to: str = EMAIL) -> str:
    """Send the queued mails, and return the token of the newest link to an address."""
    assert world.perform_tasks() == []
    return world.ses.token(to)


def verify(world: World, token: str, **headers: str) -> Response:
    return world.call("POST", "/api/users/email/verify", {"token": token}, headers=headers)


def forget(world: World, email: str = EMAIL) -> Response:
    return world.call("POST", "/api/users/password/forgot", {"email": email})


def reset(world: World, token: str, password: str = NEW_PASSWORD) -> Response:
    return world.call("POST", "/api/users/password/reset", {"token": token, "password": password})


def sign_in(world: World, password: str = PASSWORD, email: str = EMAIL) -> Response:
    return world.call("POST", "/api/users/signin", {"email": email, "password": password})


def change_password(world: World, by: Person, current: str = PASSWORD, new: str = NEW_PASSWORD) -> Response:
    return world.call("PUT", "/api/users/password", {"current": current, "new": new}, by=by)


def change_email(world: World, by: Person, email: str = OTHER_EMAIL, password: str = PASSWORD) -> Response:
    return world.call("PUT", "/api/users/email", {"email": email, "password": password}, by=by)


def current_user(world: World, token: str) -> Any:
    return world.call("GET", "/api/users/currentuser", headers={"Authorization": f"Bearer {token}"}).json["currentUser"]


def expired(answer: Response) -> bool:
    return (answer.status, answer.code) == (410, "link_expired")


# Verification


@pytest.mark.usefixtures("required")
def test_a_new_account_is_verified_by_the_link_in_its_mail(world: World) -> None:
    user = sign_up(world)
    assert (user["emailVerified"], user["verification"]) == (False, "required")

    assert verify(world, mailed(world)).status == 204

    assert world.ses.kinds(EMAIL) == ["VerifyAddress"]
    assert current_user(world, user["token"])["emailVerified"] is True
    assert person(world, user["token"]).email_verified
    assert sign_in(world).json["emailVerified"] is True


def test_a_link_works_once(world: World) -> None:
    sign_up(world)
    token = mailed(world)
    assert verify(world, token).status == 204
    assert expired(verify(world, token))


def test_a_link_to_verify_works_for_24_hours(world: World) -> None:
    sign_up(world)
    token = mailed(world)
    world.time.advance(hours=24, seconds=-1)
    assert verify(world, token).status == 204


def test_an_expired_link_does_not_work(world: World) -> None:
    sign_up(world)
    token = mailed(world)
    world.time.advance(hours=24)
    assert expired(verify(world, token))
    assert sign_in(world).json["emailVerified"] is False


def test_a_browser_gets_another_token_when_its_user_is_verified(world: World) -> None:
    """API Gateway keeps for 30 seconds that the user of the first token is not verified."""
    token = sign_up(world)["token"]
    link = mailed(world)
    world.time.advance(minutes=1)

    cookies = verify(world, link, Authorization=f"Bearer {token}").cookies

    [renewed] = [each for each in cookies if each.startswith("__Host-admit-one=")]
    renewed = renewed.partition("=")[2].partition(";")[0]
    assert renewed != token
    assert person(world, renewed).session_id == person(world, token).session_id


def test_another_user_gets_no_cookie_of_the_verified_one(world: World) -> None:
    sign_up(world)
    link = mailed(world)
    stranger = sign_up(world, "stranger@example.com")["token"]

    assert verify(world, link, Authorization=f"Bearer {stranger}").cookies == []


def test_the_link_is_mailed_again_on_request(world: World) -> None:
    caller = person(world, sign_up(world)["token"])
    first = mailed(world)

    assert world.call("POST", "/api/users/email/verification", by=caller).status == 204
    second = mailed(world)

    assert first != second
    assert verify(world, first).status == 204, "the first one may arrive last"
    assert expired(verify(world, second)), "both prove the same"
    assert world.call("POST", "/api/users/email/verification", by=caller).status == 204
    world.perform_tasks()
    assert world.ses.kinds(EMAIL) == ["VerifyAddress"] * 2, "a verified user gets no mail"


def test_links_are_limited(world: World) -> None:
    caller = person(world, sign_up(world)["token"])
    answers = [world.call("POST", "/api/users/email/verification", by=caller) for _ in range(6)]

    assert [answer.status for answer in answers] == [204] * 5 + [429]
    assert answers[-1].code == "too_many_attempts"


def test_a_user_has_a_limited_number_of_links(world: World) -> None:
    user_id = UserID(sign_up(world)["id"])
    store = UserStore(Table("auth"))
    made = []
    for _ in range(MAX_LINKS + 1):
        world.time.advance(seconds=1)
        made.append(account_changes.make_link(store, user_id, Purpose.RESET))

    assert all(made)
    oldest, *others = [token for _, token in filter(None, made)]
    assert expired(reset(world, oldest))
    assert reset(world, others[0]).status == 200


def test_only_a_digest_of_a_token_is_stored(world: World) -> None:
    sign_up(world)
    forget(world)
    tasks = world.queues.take("auth.mail_sender")
    world.queues.put("auth.mail_sender", *tasks)
    secret = mailed(world).partition(".")[2]

    assert len(secret) == 43, "256 bits in base 64"
    assert secret not in str(world.items("auth"))
    assert secret not in str(tasks)


# A forgotten password


def test_a_reset_sets_the_password_verifies_the_address_and_ends_all_other_sessions(world: World) -> None:
    token = sign_up(world)["token"]
    forget(world)
    answer = reset(world, mailed(world))

    assert answer.status == 200
    assert answer.json["emailVerified"] is True
    assert any(cookie.startswith("__Host-admit-one=") for cookie in answer.cookies)
    assert not is_accepted(world, token)
    assert is_accepted(world, answer.json["token"])
    assert sign_in(world).status == 401
    assert sign_in(world, NEW_PASSWORD).status == 200
    world.perform_tasks()
    assert world.ses.kinds(EMAIL)[:3] == ["VerifyAddress", "ResetPassword", "PasswordChanged"]


def test_a_link_to_reset_works_once_for_30_minutes(world: World) -> None:
    sign_up(world)
    forget(world)
    first = mailed(world)
    forget(world)
    second = mailed(world)
    world.time.advance(minutes=30, seconds=-1)
    assert reset(world, second).status == 200
    assert expired(reset(world, second, "another password"))
    assert expired(reset(world, first, "another password")), "all links end with the password"
    forget(world)
    third = mailed(world)
    world.time.advance(minutes=30)
    assert expired(reset(world, third, "another password"))


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.com"])
def test_forgetting_answers_the_same_for_known_and_unknown_addresses(world: World, email: str) -> None:
    sign_up(world)
    answers = [forget(world, email) for _ in range(7)]

    assert [(each.status, each.text, each.cookies) for each in answers] == [(202, "", [])] * 7
    world.perform_tasks()
    assert world.ses.kinds(email).count("ResetPassword") == (5 if email == EMAIL else 0)


def test_forgetting_makes_the_same_calls_for_known_and_unknown_addresses(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it takes the same time."""
    sign_up(world)
    calls: list[tuple[str, object]] = []
    call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def record(client: Any, operation: str, request: dict[str, Any]) -> Any:
        calls.append((operation, request.get("TableName")))
        return call(client, operation, request)

    monkeypatch.setattr(BaseClient, "_make_api_call", record)
    made = {}
    for email in (EMAIL, "nobody@example.com"):
        calls.clear()
        forget(world, email)
        made[email] = calls.copy()

    assert made[EMAIL] == made["nobody@example.com"]
    assert [operation for operation, _ in made[EMAIL]] == ["UpdateItem", "UpdateItem", "SendMessage"]


def test_forgetting_is_limited_for_each_network(world: World) -> None:
    answers = [forget(world, f"user{number}@example.com") for number in range(51)]

    assert {each.status for each in answers[:50]} == {202}
    assert (answers[50].status, answers[50].code) == (429, "too_many_attempts")


def test_a_reset_takes_a_pre_registered_account_from_whoever_made_it(world: World) -> None:
    """Somebody signs up with the address of another person, and asks for their own address."""
    squatter = sign_up(world)["token"]
    change_email(world, person(world, squatter), "squatter@example.com")
    world.perform_tasks()
    change = world.ses.token("squatter@example.com")

    forget(world)
    assert reset(world, mailed(world)).status == 200

    assert not is_accepted(world, squatter)
    assert sign_in(world).status == 401
    assert expired(verify(world, change)), "the link to the squatter's address has ended"


def test_a_sign_in_with_the_old_password_during_a_reset_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_up(world)
    forget(world)
    token = mailed(world)
    is_password = passwords.is_password

    def reset_meanwhile(password: str, known: str | None) -> bool:
        monkeypatch.setattr(passwords, "is_password", is_password)
        assert reset(world, token).status == 200
        return is_password(password, known)

    monkeypatch.setattr(passwords, "is_password", reset_meanwhile)

    assert sign_in(world).status == 401
    [user] = [item for item in world.items("auth") if item["pk"].startswith("user#")]
    assert len(user["sessions"]) == 1


def test_of_two_resets_at_once_one_succeeds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_up(world)
    forget(world)
    token = mailed(world)
    hash_password = passwords.hash_password
    answers = []

    def reset_meanwhile(password: str) -> str:
        monkeypatch.setattr(passwords, "hash_password", hash_password)
        answers.append(reset(world, token, "the faster one"))
        return hash_password(password)

    monkeypatch.setattr(passwords, "hash_password", reset_meanwhile)
    answers.append(reset(world, token))

    assert [answer.status for answer in answers] == [200, 410]
    assert sign_in(world, NEW_PASSWORD).status == 401
    assert sign_in(world, "the faster one").status == 200


# A new password


def test_a_new_password_ends_the_other_sessions(world: World) -> None:
    other = sign_up(world)["token"]
    token = sign_in(world).json["token"]

    assert change_password(world, person(world, token)).status == 204

    assert is_accepted(world, token)
    assert not is_accepted(world, other)
    assert sign_in(world).status == 401
    assert sign_in(world, NEW_PASSWORD).status == 200
    world.perform_tasks()
    assert "PasswordChanged" in world.ses.kinds(EMAIL)


def test_a_new_password_needs_the_current_one_and_guesses_are_limited(world: World) -> None:
    caller = person(world, sign_up(world)["token"])
    answers = [change_password(world, caller, "a guess") for _ in range(11)]

    assert [(each.status, each.code) for each in answers] == [(403, "wrong_password")] * 10 + [
        (429, "too_many_attempts")
    ]
    assert change_email(world, caller).status == 429, "the same counter"
    assert sign_in(world).status == 200


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("password1", "most common"),
        ("PASSWORD1", "most common"),
        (EMAIL, "e-mail address"),
        (EMAIL.upper(), "e-mail address"),
        ("someone@example.com ", "e-mail address"),
    ],
)
def test_an_easily_guessed_password_is_refused_everywhere(world: World, password: str, says: str) -> None:
    body = {"email": EMAIL, "password": password}
    answers = [world.call("POST", "/api/users/signup", body)]
    assert world.items("auth") == []
    caller = person(world, sign_up(world)["token"])
    answers.append(change_password(world, caller, new=password))
    forget(world)
    token = mailed(world)
    answers.append(reset(world, token, password))

    for answer in answers:
        assert (answer.status, answer.code) == (422, "password_refused")
        assert says in answer.json["detail"]
    assert reset(world, token).status == 200, "a refused password does not use the link up"


# Another address


def test_an_address_changes_once_it_is_proved(world: World) -> None:
    caller = person(world, sign_up(world)["token"])
    assert change_email(world, caller).status == 202
    link = mailed(world, OTHER_EMAIL)
    assert world.ses.kinds(OTHER_EMAIL) == ["ConfirmNewAddress"]
    assert world.ses.kinds(EMAIL) == ["VerifyAddress", "AddressChangeRequested"]
    assert sign_in(world).status == 200

    assert verify(world, link).status == 204

    assert sign_in(world).status == 401
    answer = sign_in(world, email=OTHER_EMAIL)
    assert (answer.status, answer.json["emailVerified"], answer.json["id"]) == (200, True, caller.id)
    assert sign_up(world)["id"] != caller.id, "the old address is free"


def test_no_address_of_another_account_can_be_taken(world: World) -> None:
    caller = person(world, sign_up(world)["token"])
    sign_up(world, OTHER_EMAIL)
    assert change_email(world, caller).status == 202, "it is not revealed"
    world.perform_tasks()
    link = world.ses.token(OTHER_EMAIL)
    before = world.items("auth")

    answer = verify(world, link)

    assert (answer.status, answer.code) == (409, "email_in_use")
    assert world.items("auth") == before


def test_links_to_the_old_address_end_when_it_changes(world: World) -> None:
    caller = person(world, sign_up(world)["token"])
    old = mailed(world)
    forget(world)
    old_reset = mailed(world)
    change_email(world, caller)
    assert verify(world, mailed(world, OTHER_EMAIL)).status == 204

    assert expired(verify(world, old))
    assert expired(reset(world, old_reset))


def test_of_a_verification_and_a_change_at_once_both_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verification reads the user, and the address changes: its link was for the old one."""
    user = sign_up(world)
    caller = person(world, user["token"])
    old = mailed(world)
    change_email(world, caller)
    change = mailed(world, OTHER_EMAIL)
    store = UserStore(Table("auth"))
    read = UserStore.user

    def change_meanwhile(self: UserStore, user_id: str) -> Any:
        found = read(self, user_id)
        monkeypatch.setattr(UserStore, "user", read)
        assert verify(world, change).status == 204
        return found

    monkeypatch.setattr(UserStore, "user", change_meanwhile)
    with pytest.raises(LinkExpired):
        account_changes.verify_email(store, old)

    after = store.user(user["id"])
    assert after
    assert (after.email, after.email_verified) == (OTHER_EMAIL, True)


# Tokens


PURPOSES: dict[str, Callable[[World, str], Response]] = {"verify": verify, "reset": reset}


@pytest.mark.parametrize("use", PURPOSES.values(), ids=PURPOSES)
@pytest.mark.parametrize("token", ["", ".", "x", "x" * 100, "é.é", "01ARZ3NDEKTSV4RRFFQ69G5FAV.", "../..", "\0", "a b"])
def test_a_text_that_is_no_token_has_expired(world: World, use: Any, token: str) -> None:
    assert expired(use(world, token))


@pytest.mark.parametrize("use", PURPOSES.values(), ids=PURPOSES)
def test_a_guessed_token_has_expired(world: World, use: Any) -> None:
    user = sign_up(world)
    world.perform_tasks()
    known = world.ses.token(EMAIL).partition(".")[2]
    before = world.items("auth")
    for guess in (f"{user['id']}.{'x' * 43}", f"{user['id']}.", f"{new_id()}.{known}", f"{user['id']}.{known[:-1]}"):
        assert expired(use(world, guess))
    assert world.items("auth") == before


def test_a_token_works_for_its_purpose_only(world: World) -> None:
    caller = person(world, sign_up(world)["token"])
    to_verify = mailed(world)
    forget(world)
    to_reset = mailed(world)
    change_email(world, caller)
    to_change = mailed(world, OTHER_EMAIL)

    assert expired(verify(world, to_reset))
    assert expired(reset(world, to_verify))
    assert expired(reset(world, to_change))
    assert current_user(world, sign_in(world).json["token"])["emailVerified"] is False


# Mails


def test_no_header_of_a_request_changes_a_link(world: World) -> None:
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    body = {"email": EMAIL, "password": PASSWORD}
    assert world.call("POST", "/api/users/signup", body, headers=forged).status == 201
    world.call("POST", "/api/users/password/forgot", {"email": EMAIL}, headers=forged)
    world.perform_tasks()

    texts = world.ses.texts(EMAIL)
    assert len(texts) == 2
    assert all("https://tickets.example.com/" in text and "evil" not in text for text in texts)


def test_a_sign_in_from_a_new_device_is_mailed_once_an_hour(world: World) -> None:
    body = {"email": EMAIL, "password": PASSWORD}
    cookies = world.call("POST", "/api/users/signup", body).cookies
    known = {"Cookie": "; ".join(each.partition(";")[0] for each in cookies)}
    assert world.call("POST", "/api/users/signin", body, headers=known).status == 200
    world.perform_tasks()
    assert "NewDevice" not in world.ses.kinds(EMAIL)

    for _ in range(2):
        world.call("POST", "/api/users/signin", body, headers={"User-Agent": "curl/8"})
    world.call("POST", "/api/users/signin", {**body, "password": "wrong"}, headers={"User-Agent": "wget/1"})
    world.perform_tasks()

    assert world.ses.kinds(EMAIL).count("NewDevice") == 1
    assert "curl" in world.ses.texts(EMAIL)[-1]


def test_a_mail_that_ses_does_not_accept_is_sent_later_and_fails_no_request(world: World) -> None:
    world.ses.error = ClientError({"Error": {"Code": "TooManyRequestsException"}}, "SendEmail")
    user = sign_up(world)
    failed = world.perform_tasks()
    assert [(each["link"], each["userID"]) for each in failed] == [("verify", user["id"])]

    world.ses.error = None
    world.time.advance(minutes=2)
    world.queues.put("auth.mail_sender", *failed)
    assert verify(world, mailed(world)).status == 204


def test_without_the_queue_an_account_is_made_and_a_link_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://sqs.example")

    monkeypatch.setattr(aws.sqs(), "send_message", fail)
    user = sign_up(world)
    assert is_accepted(world, user["token"])
    assert forget(world).status == 503, "the user can ask again"


def test_a_stage_without_a_sender_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_VERIFICATION", "unavailable")
    monkeypatch.delenv("MAIL_QUEUE_URL")
    user = sign_up(world)
    caller = person(world, user["token"])

    assert (user["emailVerified"], user["verification"]) == (False, "unavailable")
    assert caller.email_verified, "for the services"
    answers = [
        forget(world),
        forget(world, "nobody@example.com"),
        change_email(world, caller),
        world.call("POST", "/api/users/email/verification", by=caller),
    ]
    assert {(each.status, each.code) for each in answers} == {(409, "mail_unavailable")}
    assert change_password(world, caller).status == 204
    assert sign_in(world, NEW_PASSWORD).status == 200
    assert world.queues.take("auth.mail_sender") == []


def test_a_deleted_user_gets_no_mail(world: World) -> None:
    sign_up(world)
    forget(world)
    world.tables.empty()

    assert world.perform_tasks() == []
    assert world.ses.calls == []


# Users who have not verified


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/tickets"),
        ("PUT", f"/api/tickets/{'01ARZ3NDEKTSV4RRFFQ69G5FAV'}"),
        ("DELETE", f"/api/tickets/{'01ARZ3NDEKTSV4RRFFQ69G5FAV'}"),
        ("POST", "/api/orders"),
        ("DELETE", f"/api/orders/{'01ARZ3NDEKTSV4RRFFQ69G5FAV'}"),
        ("POST", "/api/payments"),
    ],
)
@pytest.mark.usefixtures("required")
def test_a_user_without_a_proved_address_buys_and_sells_nothing(world: World, method: str, path: str) -> None:
    caller = person(world, sign_up(world)["token"])
    answer = world.call(method, path, {} if method != "DELETE" else None, by=caller)

    assert (answer.status, answer.code) == (403, "email_not_verified")


@pytest.mark.parametrize("path", ["/api/tickets/mine", "/api/orders", "/api/users/sessions"])
@pytest.mark.usefixtures("required")
def test_a_user_without_a_proved_address_can_look_around(world: World, path: str) -> None:
    assert world.call("GET", path, by=person(world, sign_up(world)["token"])).status == 200
