"""Fixtures of the security tests: the handlers with data that an attacker may want."""

import pytest

from functions.auth import passwords
from tests.security.scenario import Scenario
from tests.support.handler_fixtures import ses, stripe, tables, time, world
from tests.support.ses import Ses
from tests.support.signing_key import SigningKey
from tests.support.stripe_in_process import Stripe
from tests.support.world import World

__all__ = ["key", "scenario", "ses", "stripe", "tables", "time", "world"]

_first: list[Scenario] = []


@pytest.fixture
def key(world: World, monkeypatch: pytest.MonkeyPatch) -> SigningKey:
    """Return the secret that signs tokens."""
    return SigningKey(monkeypatch)


@pytest.fixture
def scenario(world: World, stripe: Stripe, key: SigningKey, ses: Ses, monkeypatch: pytest.MonkeyPatch) -> Scenario:
    """Return tickets in every status, their orders and payments, and Stripe's side of them. Created once.

    The hash of a password is a text that contains it.
    """
    world.ses = ses
    monkeypatch.setattr(passwords, "hash_password", lambda password: f"hash of {password}")
    monkeypatch.setattr(passwords, "is_password", lambda password, known: known == f"hash of {password}")
    if _first:
        return _first[0].again(world, stripe)
    _first.append(Scenario(world, stripe))
    return _first[0]
