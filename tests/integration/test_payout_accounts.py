"""A seller connects an account at Stripe, once, and its status follows Stripe."""

import json
from datetime import timedelta
from typing import Any

import boto3
import pytest

from functions.payments.circuit_breaker import MAX_OUTAGES
from functions.payments.connected_account import KEY_KEPT, READ_EVERY, SETTLED_READ_EVERY, ConnectedAccount
from functions.payments.stripe_gateway import BUYER_TIMEOUT_SECONDS, TIMEOUT_SECONDS
from shared import clock
from tests.support.faults import RESPONSE_LOST, UNREACHABLE
from tests.support.lambda_events import Person
from tests.support.stripe_in_process import (
    CONNECT_WEBHOOK_SECRET,
    WEBHOOK_SECRET,
    Stripe,
    deliver_connect_webhook,
    deliver_webhook,
)
from tests.support.world import Response, World

ACCOUNT = "/api/payouts/account"
DETAILS = ["Details of what you sell", "Bank account", "Personal details", "Acceptance of Stripe's terms"]


@pytest.fixture
def seller(world: World) -> Person:
    return world.person("seller@example.com")


def connect(world: World, seller: Person, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return world.call("POST", ACCOUNT, by=seller, headers=named)


def read(world: World, seller: Person) -> dict[str, Any]:
    answer = world.call("GET", ACCOUNT, by=seller)
    assert answer.status == 200, answer.text
    return dict(answer.json)


def accounts(stripe: Stripe) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stripe.api("GET", "/v1/accounts?limit=100")["data"]
    return found


def set_status(stripe: Stripe, status: str, account: str | None = None) -> None:
    """Let Stripe decide about the account, by default the only one."""
    stripe.api("POST", f"/local/accounts/{account or accounts(stripe)[0]['id']}", f"status={status}")


def refuse(stripe: Stripe, monkeypatch: pytest.MonkeyPatch, status: int, kind: str, code: str | None = None) -> None:
    """Let Stripe answer each creation of an account with this error, before it has an effect."""
    handle = stripe.account.handle

    def refusing(method: str, path: str, *rest: Any) -> Any:
        reply = handle(method, path, *rest)
        if (method, path) != ("POST", "/v1/accounts"):
            return reply
        error = {"type": kind, "code": code, "message": "no"}
        return type(reply)(status, {"stripe-should-retry": "false"}, {"error": error})

    monkeypatch.setattr(stripe.account, "handle", refusing)


def item(world: World, seller: Person) -> dict[str, Any]:
    [found] = [each for each in world.items("payments") if each["pk"] == f"account#{seller.id}"]
    return found


def test_a_user_without_an_account_has_none(world: World, stripe: Stripe, seller: Person) -> None:
    assert read(world, seller) == {"status": "none", "requirements": []}
    assert stripe.calls == []


def test_a_seller_connects_an_account(world: World, stripe: Stripe, seller: Person) -> None:
    answer = connect(world, seller)
    [account] = accounts(stripe)

    assert answer.status == 200
    assert (answer.json["status"], answer.json["requirements"]) == ("incomplete", DETAILS)
    assert answer.json["url"].startswith("http://127.0.0.1:12111/local/onboarding/")
    assert answer.json["expiresAt"] == clock.to_rfc3339(world.time.now() + timedelta(minutes=5))
    assert account["metadata"] == {"stage": "test", "userID": seller.id}
    assert account["capabilities"] == {"transfers": "inactive"}
    assert account["controller"] == {
        "fees": {"payer": "application"},
        "is_controller": True,
        "losses": {"payments": "application"},
        "requirement_collection": "stripe",
        "stripe_dashboard": {"type": "express"},
        "type": "application",
    }
    assert account["email"] is None, "no more of the user is sent than is needed"


def test_the_pages_of_stripe_lead_back_to_the_client(world: World, stripe: Stripe, seller: Person) -> None:
    path = connect(world, seller).json["url"].removeprefix("http://127.0.0.1:12111")
    opened = stripe.account.handle("POST", f"{path}/open").body
    finished = stripe.account.handle("POST", path, {}, "outcome=complete").body

    assert opened["refresh_url"] == "https://tickets.example.com/payouts?onboarding=expired"
    assert finished["return_url"] == "https://tickets.example.com/payouts?onboarding=returned"


def test_each_call_gives_a_fresh_link_to_the_same_account(world: World, stripe: Stripe, seller: Person) -> None:
    links = [connect(world, seller).json["url"] for _ in range(3)]

    assert len(set(links)) == 3
    assert len(accounts(stripe)) == 1


def test_each_user_has_an_account_of_their_own(world: World, stripe: Stripe, seller: Person) -> None:
    other = world.person("other@example.com")
    for each in (seller, other):
        connect(world, each)
    set_status(stripe, "ready", item(world, seller)["stripeAccount"])
    world.time.advance(seconds=READ_EVERY.total_seconds())

    assert {account["metadata"]["userID"] for account in accounts(stripe)} == {seller.id, other.id}
    assert (read(world, seller)["status"], read(world, other)["status"]) == ("ready", "incomplete")


def test_a_repeated_request_gets_the_same_link(world: World, stripe: Stripe, seller: Person) -> None:
    first, second = (connect(world, seller, Idempotency_Key="a") for _ in range(2))
    assert first.json == second.json


@pytest.mark.parametrize(
    ("at_stripe", "status", "requirements"),
    [
        ("incomplete", "incomplete", ["Bank account"]),
        ("pending", "incomplete", ["Stripe is checking your details"]),
        ("ready", "ready", []),
        ("restricted", "restricted", ["Identity document"]),
        ("rejected", "restricted", ["Stripe has rejected this account"]),
    ],
)
@pytest.mark.parametrize("reported", [True, False])
def test_the_status_follows_stripe(  # the fixtures and the case
    world: World,
    stripe: Stripe,
    seller: Person,
    at_stripe: str,
    status: str,
    requirements: list[str],
    reported: bool,
) -> None:
    """By the webhook, or by the next read if the webhook is lost."""
    connect(world, seller)
    set_status(stripe, at_stripe)
    if reported:
        assert [answer.status for answer in stripe.webhooks(world)] == [200]
    else:
        world.time.advance(seconds=READ_EVERY.total_seconds())

    assert read(world, seller) == {"status": status, "requirements": requirements}


def test_while_an_account_is_not_ready_it_is_read_every_two_seconds(
    world: World, stripe: Stripe, seller: Person
) -> None:
    connect(world, seller)
    stripe.calls.clear()
    for seconds, calls in ((1.9, 0), (0.1, 1), (0, 1), (1.9, 1), (0.1, 2)):
        world.time.advance(seconds=seconds)
        read(world, seller)
        assert len(stripe.calls) == calls


def test_a_ready_account_is_read_every_hour(world: World, stripe: Stripe, seller: Person) -> None:
    connect(world, seller)
    set_status(stripe, "ready")
    stripe.webhooks(world)
    stripe.calls.clear()
    set_status(stripe, "restricted")  # the webhook is lost

    world.time.advance(minutes=59)
    assert (read(world, seller)["status"], stripe.calls) == ("ready", [])
    world.time.advance(minutes=1)
    assert read(world, seller)["status"] == "restricted"


def test_the_content_of_a_webhook_is_not_trusted(world: World, stripe: Stripe, seller: Person) -> None:
    connect(world, seller)
    [account] = accounts(stripe)
    lie = account | {"capabilities": {"transfers": "active"}, "requirements": None, "details_submitted": True}

    assert deliver_connect_webhook(world, updated(lie)).status == 200
    assert item(world, seller)["accountStatus"] == "incomplete"


def test_a_webhook_about_an_account_that_is_not_recorded_is_ignored(
    world: World, stripe: Stripe, seller: Person
) -> None:
    connect(world, seller)
    [account] = accounts(stripe)
    orphan = stripe.api("POST", "/v1/accounts", f"metadata[stage]=test&metadata[userID]={seller.id}")
    other_stage = account | {"metadata": {"stage": "prod", "userID": seller.id}}
    unknown = account | {"metadata": {"stage": "test", "userID": world.person().id}}
    stripe.calls.clear()

    for subject in (orphan, other_stage, unknown, {**account, "metadata": {}}, {**account, "metadata": {"userID": 1}}):
        assert deliver_connect_webhook(world, updated(subject)).status == 200
    assert stripe.calls == []


def test_only_account_updated_is_read(world: World, stripe: Stripe, seller: Person) -> None:
    connect(world, seller)
    [account] = accounts(stripe)
    stripe.calls.clear()

    assert deliver_connect_webhook(world, updated(account) | {"type": "payout.paid"}).status == 200
    assert stripe.calls == []


@pytest.mark.parametrize("fault", ["unreachable", "no key"])
def test_stripe_sends_a_webhook_again_that_could_not_be_handled(
    world: World, stripe: Stripe, seller: Person, fault: str
) -> None:
    connect(world, seller)
    [account] = accounts(stripe)
    if fault == "unreachable":
        stripe.inject(UNREACHABLE, "get")
    else:
        store_keys(stripe, secretKey="sk_other")
        world.time.advance(minutes=2)

    assert deliver_connect_webhook(world, updated(account)).status == 503


def test_the_two_webhooks_have_secrets_of_their_own(world: World, stripe: Stripe, seller: Person) -> None:
    connect(world, seller)
    [account] = accounts(stripe)

    assert deliver_connect_webhook(world, updated(account), secret=WEBHOOK_SECRET).code == "bad_signature"
    assert deliver_webhook(world, updated(account), secret=CONNECT_WEBHOOK_SECRET).code == "bad_signature"


# Once, whatever fails


def test_a_lost_answer_makes_no_second_account(world: World, stripe: Stripe, seller: Person) -> None:
    stripe.inject(RESPONSE_LOST, "accounts")

    assert connect(world, seller).code == "stripe_unavailable"
    assert read(world, seller)["status"] == "none"
    assert connect(world, seller).status == 200
    assert len(accounts(stripe)) == 1


def test_an_attempt_that_was_not_recorded_is_completed(
    world: World, stripe: Stripe, seller: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies between Stripe's answer and its record."""
    with monkeypatch.context() as patch:
        patch.setattr(ConnectedAccount, "created", lambda *_: 1 / 0)
        assert connect(world, seller).status == 500
    assert connect(world, seller).status == 200
    assert len(accounts(stripe)) == 1


def test_once_stripe_may_have_forgotten_the_key_the_first_account_is_never_used(
    world: World, stripe: Stripe, seller: Person
) -> None:
    stripe.inject(RESPONSE_LOST, "accounts")
    connect(world, seller)
    [orphan] = accounts(stripe)
    world.time.advance(seconds=KEY_KEPT.total_seconds())
    connect(world, seller)
    second, first = accounts(stripe)
    set_status(stripe, "ready", orphan["id"])  # nobody has a link to it, but even so
    stripe.webhooks(world)

    assert (first["id"], item(world, seller)["stripeAccount"]) == (orphan["id"], second["id"])
    assert read(world, seller)["status"] == "incomplete"


@pytest.mark.parametrize(
    ("status", "kind", "answer"),
    [
        (400, "invalid_request_error", "payments_not_configured"),
        (500, "api_error", "stripe_unavailable"),
    ],
)
def test_after_a_final_answer_the_next_call_has_another_key(
    world: World, stripe: Stripe, seller: Person, monkeypatch: pytest.MonkeyPatch, status: int, kind: str, answer: str
) -> None:
    """Stripe would give the same answer under the same key for a day."""
    with monkeypatch.context() as patch:
        refuse(stripe, patch, status, kind)
        assert connect(world, seller).code == answer
    assert item(world, seller)["attempt"] == 2
    assert connect(world, seller).status == 200
    assert item(world, seller)["attempt"] == 2


@pytest.mark.parametrize(("status", "kind"), [(429, "invalid_request_error"), (409, "idempotency_error")])
def test_an_answer_that_stripe_does_not_keep_is_asked_for_again(
    world: World, stripe: Stripe, seller: Person, monkeypatch: pytest.MonkeyPatch, status: int, kind: str
) -> None:
    with monkeypatch.context() as patch:
        refuse(stripe, patch, status, kind)
        assert connect(world, seller).code == "stripe_unavailable"
    assert item(world, seller)["attempt"] == 1


# Accounts that end


def test_a_closed_account_is_shown_and_can_be_replaced(world: World, stripe: Stripe, seller: Person) -> None:
    connect(world, seller)
    first = item(world, seller)["stripeAccount"]
    stripe.api("DELETE", f"/v1/accounts/{first}")
    world.time.advance(seconds=READ_EVERY.total_seconds())

    assert read(world, seller) == {"status": "restricted", "requirements": ["This account was closed at Stripe"]}
    answer = connect(world, seller)
    assert (answer.status, answer.json["status"]) == (200, "incomplete")
    assert item(world, seller)["stripeAccount"] not in (None, first)


def test_a_closed_account_is_noticed_while_a_link_is_made(world: World, stripe: Stripe, seller: Person) -> None:
    connect(world, seller)
    first = item(world, seller)["stripeAccount"]
    stripe.api("DELETE", f"/v1/accounts/{first}")

    assert connect(world, seller).status == 200
    assert item(world, seller)["stripeAccount"] != first


def test_a_rejected_seller_gets_no_other_account(world: World, stripe: Stripe, seller: Person) -> None:
    connect(world, seller)
    set_status(stripe, "rejected")
    stripe.webhooks(world)
    refused = connect(world, seller)

    assert (refused.status, refused.code) == (409, "account_rejected")
    assert len(accounts(stripe)) == 1


# While Stripe fails


def test_while_stripe_fails_the_recorded_status_is_shown(world: World, stripe: Stripe, seller: Person) -> None:
    connect(world, seller)
    world.time.advance(seconds=SETTLED_READ_EVERY.total_seconds())
    stripe.inject(UNREACHABLE, "get")

    assert read(world, seller)["status"] == "incomplete"


def test_a_seller_waits_as_briefly_as_a_buyer(world: World, stripe: Stripe, seller: Person) -> None:
    connect(world, seller)
    assert stripe.timeout_seconds == BUYER_TIMEOUT_SECONDS
    [account] = accounts(stripe)
    deliver_connect_webhook(world, updated(account))
    assert stripe.timeout_seconds == TIMEOUT_SECONDS

    for _ in range(MAX_OUTAGES):
        stripe.inject(UNREACHABLE, "account_links")
        assert connect(world, seller).code == "stripe_unavailable"
    stripe.calls.clear()
    answer = connect(world, seller)
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "stripe_unavailable", "2")
    assert stripe.calls == []


@pytest.mark.parametrize("key", ["", "sk_of_another_account"])
def test_without_a_valid_key_nothing_is_created(world: World, stripe: Stripe, seller: Person, key: str) -> None:
    store_keys(stripe, secretKey=key)

    assert connect(world, seller).code == "payments_not_configured"
    assert accounts(stripe) == []


def test_the_key_of_payments_is_not_used(world: World, stripe: Stripe, seller: Person) -> None:
    keys = {"secretKey": "sk_other", "publishableKey": "", "webhookSecret": ""}
    boto3.client("secretsmanager").put_secret_value(SecretId=stripe.secret_arn, SecretString=json.dumps(keys))

    assert connect(world, seller).status == 200


def test_a_user_without_a_proved_address_connects_nothing(world: World, stripe: Stripe) -> None:
    unproved = Person(world.person().id, "new@example.com", email_verified=False)

    assert connect(world, unproved).code == "email_not_verified"
    assert read(world, unproved)["status"] == "none"


def updated(account: dict[str, Any]) -> dict[str, Any]:
    """Return the event about an account."""
    return {"id": "evt_1", "type": "account.updated", "account": account["id"], "data": {"object": account}}


def store_keys(stripe: Stripe, **changed: str) -> None:
    """Replace keys in the secret for sellers' money."""
    secrets = boto3.client("secretsmanager")
    keys = json.loads(secrets.get_secret_value(SecretId=stripe.payout_secret_arn)["SecretString"])
    secrets.put_secret_value(SecretId=stripe.payout_secret_arn, SecretString=json.dumps(keys | changed))
