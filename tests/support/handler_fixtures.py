"""Fixtures of the real handlers on moto: one mock for the session, and the CDK app's tables, emptied for each test.

Importing this module sets the environment variables of the functions.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

from tests.support.functions import NAMES
from tests.support.grants import FROM

os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "POWERTOOLS_SERVICE_NAME": "tests",
    "STAGE": "test",
    "ORDER_WINDOW_SECONDS": "300",
    "CURRENCY": "usd",
    "FEE_PERCENT": "5",
    "FEE_FIXED": "0",
    "PAYOUT_HOLD_SECONDS": "604800",
    "EDGE_SECRET_ARN": "edge",
    "SESSION_COOKIE": "__Host-admit-one",
    "EMAIL_VERIFICATION": "optional",
    "PUBLIC_ORIGIN": "https://tickets.example.com",
    "MAIL_FROM": FROM,
    "MAIL_CONFIGURATION_SET": "mails",
    **NAMES,
}
os.environ.pop("AWS_ENDPOINT_URL", None)
os.environ.pop("AWS_PROFILE", None)

import boto3
import pytest
from moto import mock_aws

from functions.payments import payout_gateway, stripe_gateway
from functions.payments.circuit_breaker import CircuitBreaker
from shared import aws, clock, settings
from shared.ids import new_id
from stripe_emulator.account import PUBLISHABLE_KEY, SECRET_KEY
from tests.support.fake_clock import FakeClock
from tests.support.functions import replaced as replaced_functions
from tests.support.moto_tables import MotoTables
from tests.support.ses import Ses
from tests.support.ses import replaced as replaced_ses
from tests.support.stripe_in_process import CONNECT_WEBHOOK_SECRET, WEBHOOK_SECRET, Stripe
from tests.support.world import World


@pytest.fixture(scope="session")
def tables(template: dict[str, Any]) -> Iterator[MotoTables]:
    """Return the services' tables, in the session's one mock."""
    with mock_aws():
        yield MotoTables(template)
    aws._client.cache_clear()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Return a clock that stands still until the test moves it."""
    return freeze_clock(monkeypatch)


@pytest.fixture
def world(tables: MotoTables, time: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Return all five services with empty tables."""
    settings.load.cache_clear()
    tables.empty()
    made = World(tables, time, monkeypatch)
    with replaced_functions(lambda service, question: made.invoke(f"{service}.personal_data", question)) as called:
        made.services = called
        yield made


@pytest.fixture
def ses() -> Iterator[Ses]:
    """Return SES as this process sees it; it accepts every mail."""
    with replaced_ses() as found:
        yield found


@pytest.fixture
def stripe(world: World, monkeypatch: pytest.MonkeyPatch) -> Stripe:
    """Return the local Stripe in this process, with its keys in the stage's secret."""
    return replace_stripe(world.time, monkeypatch)


def freeze_clock(patch: pytest.MonkeyPatch) -> FakeClock:
    """Replace the services' clock by one that stands still."""
    frozen = FakeClock()
    patch.setattr(clock, "now", frozen.now)
    patch.setattr(clock, "sleep", frozen.sleep)
    return frozen


def replace_stripe(time: FakeClock, patch: pytest.MonkeyPatch) -> Stripe:
    """Replace Payments' connection to Stripe by the local Stripe, and put its keys into the stage's two secrets."""
    secrets = boto3.client("secretsmanager")
    keys = {"secretKey": SECRET_KEY, "publishableKey": PUBLISHABLE_KEY, "webhookSecret": WEBHOOK_SECRET}
    arn = secrets.create_secret(Name=f"stripe-{new_id()}", SecretString=json.dumps(keys))["ARN"]
    patch.setenv("STRIPE_SECRET_ARN", arn)
    payout_keys = {"secretKey": SECRET_KEY, "connectWebhookSecret": CONNECT_WEBHOOK_SECRET}
    payout_arn = secrets.create_secret(Name=f"payouts-{new_id()}", SecretString=json.dumps(payout_keys))["ARN"]
    patch.setenv("PAYOUT_SECRET_ARN", payout_arn)
    patch.setattr(stripe_gateway, "_cached", stripe_gateway._CachedKeys())
    patch.setattr(payout_gateway, "_cached", payout_gateway._CachedKeys())
    settings.load.cache_clear()
    made = Stripe(time, secret_arn=arn, payout_secret_arn=payout_arn)
    patch.setattr(stripe_gateway, "http_client", made.with_timeout)
    patch.setattr(stripe_gateway, "_breaker", CircuitBreaker())
    return made
