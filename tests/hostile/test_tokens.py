"""Tokens that are not good, through the real authorizer to every route that needs a user.

Each forgery is explained where the authorizer is tested, tests/handlers/test_auth_tokens.py, and so are rotated keys.
Here the authorizer's answer goes on to the service, as API Gateway does it: what counts is that nobody gets in.
"""

import jwt
import pytest

from functions.auth import passwords
from tests.handlers.signing_key import SigningKey
from tests.handlers.test_auth_tokens import FORGERIES, Forge, authorize, token_for
from tests.handlers.world import World, http_event
from tests.template.test_routes import SIGNED_IN


@pytest.fixture
def token(world: World, key: SigningKey, monkeypatch: pytest.MonkeyPatch) -> str:
    """A good one."""
    monkeypatch.setattr(passwords, "hash_password", lambda _password: "hash")
    return token_for(world)


def status(world: World, route: str, header: str | None) -> int:
    """How a route answers a call with this `Authorization` header."""
    method, path = route.split()
    event = http_event(method, path, {} if method in ("POST", "PUT") else None, route=route)
    event["requestContext"]["authorizer"] = {"lambda": authorize(world, header)["context"]}
    service = SIGNED_IN[route].partition(" ")[0]
    return int(world.invoke(f"{service}.api", event)["statusCode"])


@pytest.mark.parametrize("route", SIGNED_IN)
def test_a_good_token_gets_in(world: World, token: str, route: str) -> None:
    """Else the others would prove nothing: with an empty body or an unknown id the answer is another refusal."""
    assert status(world, route, f"Bearer {token}") in (200, 400, 404)


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_token_gets_in_nowhere(world: World, key: SigningKey, token: str, forge: Forge) -> None:
    key_id, secret = key.current()
    claims = jwt.decode(token, options={"verify_signature": False})
    forged = forge(claims, {"kid": key_id}, secret)

    assert {status(world, route, f"Bearer {forged}") for route in SIGNED_IN} == {401}


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Basic dTpw", "Token {}", "{}", "Bearer Bearer {}", "Bearer {} x"]
)
def test_a_header_that_is_not_a_bearers_gets_in_nowhere(world: World, token: str, header: str | None) -> None:
    sent = header and header.format(token)

    assert {status(world, route, sent) for route in SIGNED_IN} == {401}


def test_an_expired_token_gets_in_nowhere(world: World, token: str) -> None:
    world.time.advance(hours=12)

    assert {status(world, route, f"Bearer {token}") for route in SIGNED_IN} == {401}
