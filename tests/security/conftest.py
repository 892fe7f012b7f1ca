"""Fixtures of the security tests: the handlers with data that an attacker may want."""

import pytest

from tests.integration.conftest import stripe, tables, time, world  # noqa: F401 - fixtures
from tests.security.market import Market
from tests.support.signing_key import SigningKey
from tests.support.stripe_in_process import Stripe
from tests.support.world import World

_first: list[Market] = []


@pytest.fixture
def key(world: World, monkeypatch: pytest.MonkeyPatch) -> SigningKey:  # noqa: F811
    """Return the secret that signs tokens."""
    return SigningKey(monkeypatch)


@pytest.fixture
def market(world: World, stripe: Stripe, key: SigningKey) -> Market:  # noqa: F811
    """Return a market: tickets in every status, their orders and payments, and Stripe's side of them; created once."""
    if _first:
        return _first[0].again(world, stripe)
    _first.append(Market(world, stripe))
    return _first[0]
