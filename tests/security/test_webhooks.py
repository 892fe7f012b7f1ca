"""Webhooks that are forged, replayed, or meant for another account.

tests/integration/test_payments.py already covers: unsigned, signed with another secret, too old, delivered twice, with
a false status, of another stage, and of a PaymentIntent that is not recorded yet.
"""

import json
import time
from typing import Any

import boto3
import pytest

from stripe_emulator.webhooks import signature_header
from tests.support.stripe_in_process import WEBHOOK_SECRET, Stripe, deliver_webhook
from tests.support.world import Response, World

BODY = json.dumps({"type": "payment_intent.succeeded", "data": {"object": {"object": "payment_intent", "id": "pi_1"}}})


def deliver(world: World, signature: str, body: str = BODY) -> Response:
    """Deliver the webhook with this signature header."""
    headers = {"Stripe-Signature": signature}
    return world.call("POST", "/api/payments/webhook", raw=body, headers=headers)


def good(body: str = BODY, *, secret: str = WEBHOOK_SECRET, at: int = 0) -> tuple[str, str]:
    """Return time and signature (`v1`) as Stripe would send them."""
    stamp, _, signature = signature_header(body.encode(), secret, at or int(time.time())).partition(",v1=")
    return stamp.removeprefix("t="), signature


def test_a_valid_signature_is_accepted(world: World, stripe: Stripe) -> None:
    stamp, signature = good()
    assert deliver(world, f"t={stamp},v1={signature}").status == 200

    _, old = good(secret="whsec_the_one_before")
    assert deliver(world, f"t={stamp},v1={old},v1={signature}").status == 200, (
        "two signatures while the secret is rolled"
    )


@pytest.mark.parametrize(
    "header",
    [
        "",
        ",",
        "t={t}",
        "v1={v1}",
        "t={t},v1=",
        "t={t},v0={v1}",
        "t={t},v1={upper}",
        "t={t},v1={v1}0",
        "t={later},v1={v1}",
        "t=,v1={v1}",
        "t=x,v1={v1}",
        "t=-1,v1={v1}",
        "t=1e999,v1={v1}",
        "t={t}.5,v1={v1}",
        "t={t},v1={v1[0]}",
        "t={t},v1=é",
        "t={t},v1={other}",
        "t={t},v1={empty}",
    ],
)
def test_an_almost_valid_signature_is_refused(world: World, stripe: Stripe, header: str) -> None:
    stamp, signature = good()
    names: dict[str, Any] = {
        "t": stamp,
        "later": int(stamp) + 1,
        "v1": signature,
        "upper": signature.upper(),
        "other": good('{"type": "other"}')[1],
        "empty": good(secret="")[1],
    }
    answer = deliver(world, header.format(**names))

    assert (answer.status, answer.code) in ((400, "bad_signature"), (400, "invalid_request"))
    assert stripe.calls == []


def test_the_signature_of_another_body_is_refused(world: World, stripe: Stripe) -> None:
    stamp, signature = good()
    for body in (BODY + " ", BODY.replace("pi_1", "pi_2"), "", "{}"):
        assert deliver(world, f"t={stamp},v1={signature}", body).status == 400


def test_a_replayed_webhook_is_refused_after_five_minutes(world: World, stripe: Stripe) -> None:
    for age, status in ((295, 200), (305, 400)):
        at = int(time.time()) - age
        stamp, signature = good(at=at)
        assert deliver(world, f"t={stamp},v1={signature}").status == status


def test_without_a_webhook_secret_all_webhooks_are_refused(world: World, stripe: Stripe) -> None:
    keys = {"secretKey": "sk_test_1", "publishableKey": "pk_test_1", "webhookSecret": ""}
    boto3.client("secretsmanager").put_secret_value(SecretId=stripe.secret_arn, SecretString=json.dumps(keys))
    answer = deliver_webhook(world, json.loads(BODY), secret="")

    assert (answer.status, answer.code) == (503, "payments_not_configured")
    assert stripe.calls == []


@pytest.mark.parametrize("more", [{"account": "acct_1"}, {"account": "acct_1", "livemode": True}])
def test_events_of_connected_accounts_are_ignored(world: World, stripe: Stripe, more: dict[str, object]) -> None:
    """Stripe Connect sends them to the same address, with the same signature."""
    notification = {**json.loads(BODY), **more}

    assert deliver_webhook(world, notification).status == 200
    assert stripe.calls == []


def test_a_live_event_on_a_test_stage_changes_nothing(world: World, stripe: Stripe) -> None:
    assert deliver_webhook(world, {**json.loads(BODY), "livemode": True}).status == 200
    assert world.items("payments") == []


@pytest.mark.parametrize(
    "stripe_id", ["", " ", "pi_", "../charges", "pi_1/capture", "pi_1?x=1", "pi_\u0661", "x" * 300, None]
)
@pytest.mark.parametrize("kind", ["payment_intent", "charge"])
def test_a_malformed_payment_intent_id_causes_no_stripe_call(
    world: World, stripe: Stripe, kind: str, stripe_id: str | None
) -> None:
    """Found by test_fuzz.py: an empty id ended in a crash, because Stripe has no such address."""
    subject = {"object": kind, "id" if kind == "payment_intent" else "payment_intent": stripe_id}

    assert deliver_webhook(world, {"type": "payment_intent.succeeded", "data": {"object": subject}}).status == 200
    assert stripe.calls == []
