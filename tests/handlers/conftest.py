"""The real handlers on moto: one mock for the session, tables as the CDK app defines them, emptied for each test."""

import os
from collections.abc import Iterator
from typing import Any

os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "POWERTOOLS_METRICS_NAMESPACE": "AdmitOne",
    "POWERTOOLS_SERVICE_NAME": "tests",
    "STAGE": "test",
    "ORDER_WINDOW_SECONDS": "300",
    "CURRENCY": "usd",
}
os.environ.pop("AWS_ENDPOINT_URL", None)
os.environ.pop("AWS_PROFILE", None)

import boto3
import pytest
from moto import mock_aws

from shared import aws, clock, settings
from tests.handlers.world import Clock, World


@pytest.fixture(scope="session")
def _moto() -> Iterator[None]:
    with mock_aws():
        yield
    aws._client.cache_clear()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still until the test moves it."""
    frozen = Clock()
    monkeypatch.setattr(clock, "now", frozen.now)
    monkeypatch.setattr(clock, "sleep", frozen.sleep)
    return frozen


@pytest.fixture
def world(_moto: None, template: dict[str, Any], time: Clock, monkeypatch: pytest.MonkeyPatch) -> World:
    """All five services with empty tables."""
    settings.load.cache_clear()
    made = World(template, time, monkeypatch, boto3.Session())
    made.empty()
    return made
