"""What strangers meet: the handlers' world, with something in it to steal."""

import pytest

from tests.handlers.conftest import stripe, tables, time, world  # noqa: F401 - fixtures
from tests.handlers.signing_key import SigningKey
from tests.handlers.stripe_in_process import Stripe
from tests.handlers.world import World
from tests.hostile.market import Market

_first: list[Market] = []


@pytest.fixture
def key(world: World, monkeypatch: pytest.MonkeyPatch) -> SigningKey:  # noqa: F811
    """The secret that signs tokens."""
    return SigningKey(monkeypatch)


@pytest.fixture
def market(world: World, stripe: Stripe, key: SigningKey) -> Market:  # noqa: F811
    """A seller's tickets in every status, a buyer's orders and payments, and Stripe's side of them; made once."""
    if _first:
        return _first[0].again(world, stripe)
    _first.append(Market(world, stripe))
    return _first[0]
