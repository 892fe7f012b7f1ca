"""Fixtures of the security tests: the handlers with data that an attacker may want."""

import pytest

from tests.security.scenario import Scenario
from tests.support.handler_fixtures import stripe, tables, time, world
from tests.support.signing_key import SigningKey
from tests.support.stripe_in_process import Stripe
from tests.support.world import World

__all__ = ["key", "scenario", "stripe", "tables", "time", "world"]

_first: list[Scenario] = []


@pytest.fixture
def key(world: World, monkeypatch: pytest.MonkeyPatch) -> SigningKey:
    """Return the secret that signs tokens."""
    return SigningKey(monkeypatch)


@pytest.fixture
def scenario(world: World, stripe: Stripe, key: SigningKey) -> Scenario:
    """Return tickets in every status, their orders and payments, and Stripe's side of them. Created once."""
    if _first:
        return _first[0].again(world, stripe)
    _first.append(Scenario(world, stripe))
    return _first[0]
