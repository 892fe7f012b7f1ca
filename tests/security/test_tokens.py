"""Invalid tokens, through the real authorizer to every route that needs a user.

tests/integration/test_auth_tokens.py explains each forgery and tests rotated keys.
Here the authorizer's answer is passed on to the service, as API Gateway does: every call must be refused.
"""

import jwt
import pytest

from functions.auth import passwords
from tests.support.lambda_events import http_event
from tests.support.routes import SIGNED_IN
from tests.support.signing_key import SigningKey
from tests.support.tokens import FORGERIES, Forge, authorize, token_for
from tests.support.world import World


@pytest.fixture
def token(world: World, key: SigningKey, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a valid token, of a user who need not verify the address."""
    monkeypatch.setenv("EMAIL_VERIFICATION", "optional")
    monkeypatch.setattr(passwords, "hash_password", lambda _password: "hash")
    return token_for(world)


def status(world: World, route: str, header: str | None) -> int:
    """Return a route's status for this `Authorization` header."""
    method, path = route.split()
    event = http_event(method, path, {} if method in ("POST", "PUT") else None, route=route)
    event["requestContext"]["authorizer"] = {"lambda": authorize(world, header)["context"]}
    service = SIGNED_IN[route].partition(" ")[0]
    return int(world.invoke(f"{service}.api", event)["statusCode"])


@pytest.mark.parametrize("route", SIGNED_IN)
def test_a_valid_token_is_accepted(world: World, token: str, route: str) -> None:
    """Proves that the other tests fail for their token: an empty body or an unknown id causes another error."""
    assert status(world, route, f"Bearer {token}") in (200, 204, 400, 404)


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_token_is_refused_on_every_route(world: World, key: SigningKey, token: str, forge: Forge) -> None:
    key_id, secret = key.current()
    claims = jwt.decode(token, options={"verify_signature": False})
    forged = forge(claims, {"kid": key_id}, secret)

    assert {status(world, route, f"Bearer {forged}") for route in SIGNED_IN} == {401}


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Basic dTpw", "Token {}", "{}", "Bearer Bearer {}", "Bearer {} x"]
)
def test_a_header_without_bearer_is_refused_on_every_route(world: World, token: str, header: str | None) -> None:
    sent = header and header.format(token)

    assert {status(world, route, sent) for route in SIGNED_IN} == {401}


def test_an_expired_token_is_refused_on_every_route(world: World, token: str) -> None:
    world.time.advance(hours=12)

    assert {status(world, route, f"Bearer {token}") for route in SIGNED_IN} == {401}
