"""Every cache of a secret: a request succeeds with the cached value while Secrets Manager is down or slow."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from functions.auth import client_ip as edge
from functions.auth.keys import key_ring
from functions.payments import stripe_gateway
from functions.payments.payment import PaymentsNotConfigured
from shared import aws
from shared.admission import EDGE_HEADER
from shared.ids import new_id
from shared.secret_cache import MAX_STALE, RETRY_PAUSE
from tests.support.signing_key import SigningKey
from tests.support.stripe_in_process import Stripe
from tests.support.tokens import authorize, sign_up, token_for
from tests.support.world import World

DOWN = ClientError({"Error": {"Code": "InternalServiceError", "Message": ""}}, "GetSecretValue")
SLOW = ReadTimeoutError(endpoint_url="https://secretsmanager")

type Outage = Callable[[Exception], list[str]]


@pytest.fixture
def signing_key(world: World, monkeypatch: pytest.MonkeyPatch) -> SigningKey:
    return SigningKey(monkeypatch)


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Outage]:
    """Return a function that makes every read of a secret fail, and returns the list of the failed reads."""

    def begin(error: Exception) -> list[str]:
        failed: list[str] = []

        def fail(**request: Any) -> Any:
            failed.append(request.get("VersionStage", "AWSCURRENT"))
            raise error

        monkeypatch.setattr(aws.secretsmanager(), "get_secret_value", fail)
        return failed

    yield begin
    monkeypatch.undo()


@pytest.mark.parametrize("error", [DOWN, SLOW])
def test_tokens_are_verified_and_issued_with_cached_keys(
    world: World, signing_key: SigningKey, outage: Outage, error: Exception
) -> None:
    user = sign_up(world)
    world.time.advance(hours=1)
    failed = outage(error)

    assert authorize(world, f"Bearer {user['token']}")["context"]
    assert sign_up(world, "other@example.com")["token"]
    assert failed == ["AWSCURRENT"], "the next attempt follows after a pause"


def test_a_token_of_the_previous_key_is_verified(world: World, signing_key: SigningKey, outage: Outage) -> None:
    before = token_for(world)
    signing_key.rotate()
    key_ring.cache_clear()
    assert authorize(world, f"Bearer {before}")["context"]
    world.time.advance(minutes=5)
    key_ring(signing_key.arn).current()  # refreshes just before the outage
    outage(DOWN)

    assert authorize(world, f"Bearer {before}")["context"]


def test_payments_use_cached_stripe_keys(world: World, stripe: Stripe, outage: Outage) -> None:
    stripe_gateway.keys()
    world.time.advance(hours=1)
    failed = outage(SLOW)

    assert [stripe_gateway.keys().secret for _ in range(3)] == [stripe_gateway.keys().secret] * 3
    assert len(failed) == 1


def test_the_edge_secret_never_expires(
    world: World, monkeypatch: pytest.MonkeyPatch, signing_key: SigningKey, outage: Outage
) -> None:
    arn = aws.secretsmanager().create_secret(Name=f"edge-{new_id()}", SecretString="the proof")["ARN"]
    event = {
        "headers": {EDGE_HEADER: "the proof", edge.VIEWER_HEADER: "203.0.113.7"},
        "requestContext": {"http": {"sourceIp": "198.51.100.1"}},
    }
    edge.client_ip(event, edge_secret_arn=arn)
    world.time.advance(days=2)
    outage(DOWN)

    assert edge.client_ip(event, edge_secret_arn=arn) == "203.0.113.7"


def test_a_secret_is_read_again_after_a_pause(world: World, stripe: Stripe, outage: Outage) -> None:
    stripe_gateway.keys()
    world.time.advance(minutes=1)
    failed = outage(DOWN)
    for _ in range(3):
        stripe_gateway.keys()
        world.time.advance(seconds=RETRY_PAUSE.total_seconds())

    assert len(failed) == 3


def test_a_value_from_before_the_limit_is_not_used(world: World, stripe: Stripe, outage: Outage) -> None:
    stripe_gateway.keys()
    outage(DOWN)
    world.time.instant += MAX_STALE - timedelta(milliseconds=1)
    stripe_gateway.keys()

    world.time.advance(milliseconds=1)
    with pytest.raises(ClientError):
        stripe_gateway.keys()


def test_new_keys_are_used_once_secrets_manager_responds(
    world: World, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = stripe_gateway.keys()
    world.time.advance(minutes=1)
    with monkeypatch.context() as patch:
        patch.setattr(aws.secretsmanager(), "get_secret_value", _raise)
        assert stripe_gateway.keys() == old
    aws.secretsmanager().put_secret_value(
        SecretId=stripe.secret_arn, SecretString='{"secretKey": "", "publishableKey": "", "webhookSecret": ""}'
    )
    world.time.instant += RETRY_PAUSE

    with pytest.raises(PaymentsNotConfigured):
        stripe_gateway.keys()


def _raise(**_: Any) -> Any:
    raise DOWN


def test_a_read_of_a_secret_takes_two_seconds_at_most(world: World) -> None:
    config: Any = aws.secretsmanager().meta.config
    attempts = config.retries["total_max_attempts"]

    assert max(config.connect_timeout, config.read_timeout) * attempts <= 2
