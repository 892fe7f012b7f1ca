"""Valid and forged tokens, and the authorizer's answers to them."""

import base64
import json
from collections.abc import Callable
from typing import Any

import jwt

from shared.ids import new_id
from tests.support.world import World

EMAIL = "someone@example.com"

type Forge = Callable[[dict[str, Any], dict[str, Any], str], str]


def signed(claims: dict[str, Any], secret: str, headers: dict[str, Any], algorithm: str = "HS256") -> str:
    return jwt.encode(claims, secret, algorithm=algorithm, headers=headers)


def part(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def without(claims: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in claims.items() if key != name}


FORGERIES: dict[str, Forge] = {
    "another key": lambda claims, head, _: signed(claims, "k" * 64, head),
    "another algorithm": lambda claims, head, secret: signed(claims, secret, head, "HS512"),
    "alg none": lambda claims, head, _: f"{part(head | {'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.",
    "alg None": lambda claims, head, _: f"{part(head | {'alg': 'None', 'typ': 'JWT'})}.{part(claims)}.",
    "no alg": lambda claims, head, _: f"{part(head)}.{part(claims)}.",
    "alg is a list": lambda claims, head, _: f"{part(head | {'alg': ['HS256']})}.{part(claims)}.x",
    "no signature": lambda claims, head, secret: signed(claims, secret, head).rpartition(".")[0] + ".",
    "two parts": lambda claims, head, secret: signed(claims, secret, head).rpartition(".")[0],
    "claims of another": lambda claims, head, secret: ".".join(
        (
            (parts := signed(claims, secret, head).split("."))[0],
            part(claims | {"sub": new_id()}),
            parts[2],
        )
    ),
    "header of another": lambda claims, head, secret: ".".join(
        (part(head | {"alg": "HS256", "x": 1}), *signed(claims, secret, head).split(".")[1:])
    ),
    "another audience": lambda claims, head, secret: signed(claims | {"aud": "other"}, secret, head),
    "an empty audience": lambda claims, head, secret: signed(claims | {"aud": ""}, secret, head),
    "another issuer": lambda claims, head, secret: signed(claims | {"iss": "admit-one-prod"}, secret, head),
    "no expiry": lambda claims, head, secret: signed(without(claims, "exp"), secret, head),
    "expiry as text": lambda claims, head, secret: signed(claims | {"exp": "9999999999"}, secret, head),
    "expiry null": lambda claims, head, secret: signed(claims | {"exp": None}, secret, head),
    "no issuer": lambda claims, head, secret: signed(without(claims, "iss"), secret, head),
    "no audience": lambda claims, head, secret: signed(without(claims, "aud"), secret, head),
    "no subject": lambda claims, head, secret: signed(without(claims, "sub"), secret, head),
    "no session": lambda claims, head, secret: signed(without(claims, "sid"), secret, head),
    "an unknown session": lambda claims, head, secret: signed(claims | {"sid": new_id()}, secret, head),
    "the session of another user": lambda claims, head, secret: signed(claims | {"sub": new_id()}, secret, head),
    "a subject that is no text": lambda claims, head, secret: jwt.api_jws.encode(
        json.dumps(claims | {"sub": 1}).encode(), secret, headers=head
    ),
    "claims that are no object": lambda _, head, secret: jwt.api_jws.encode(b"[]", secret, headers=head),
    "claims that are no JSON": lambda _, head, secret: jwt.api_jws.encode(b"\xff", secret, headers=head),
    "no key id": lambda claims, _, secret: signed(claims, secret, {}),
    "an unknown key id": lambda claims, _, secret: signed(claims, secret, {"kid": new_id()}),
    "an empty key id": lambda claims, _, secret: signed(claims, secret, {"kid": ""}),
    "a long key id": lambda claims, _, secret: signed(claims, secret, {"kid": "k" * 5000}),
    "a path as key id": lambda claims, _, secret: signed(claims, secret, {"kid": "../../dev/null"}),
    "a stage as key id": lambda claims, _, secret: signed(claims, secret, {"kid": "AWSCURRENT"}),
    "a key id that is no text": lambda claims, head, _: f"{part({'alg': 'HS256', 'kid': 1})}.{part(claims)}.x",
    "a key in the header": lambda claims, _, __: signed(
        claims, "k" * 64, {"kid": "mine", "jwk": {"kty": "oct", "k": part("k" * 64)}}
    ),
    "a detached payload": lambda claims, head, secret: jwt.api_jws.encode(
        json.dumps(claims).encode(), secret, headers=head | {"b64": False, "crit": ["b64"]}, is_payload_detached=True
    ),
    "a critical extension": lambda claims, head, secret: signed(claims, secret, head | {"crit": ["exp"], "exp": 1}),
    "a header that is no object": lambda claims, _, __: f"{part([])}.{part(claims)}.x",
    "a header that is no JSON": lambda claims, _, __: f"{part('{')}.{part(claims)}.x",
    "a bottomless header": lambda claims, _, __: f"{part('[' * 100_000)}.{part(claims)}.x",
    "nothing": lambda *_: "",
    "dots": lambda *_: "..",
    "many dots": lambda *_: "." * 1000,
    "a word": lambda *_: "token",
    "no base64": lambda *_: "!.!.!",
    "not ASCII": lambda *_: "é.é.é",
    "no text": lambda *_: "\ud800.a.b",
    "a null byte": lambda *_: "\x00",
}


def sign_up(world: World, email: str = EMAIL) -> dict[str, Any]:
    body = {"email": email, "password": "correct horse"}
    user: dict[str, Any] = world.call("POST", "/api/users/signup", body).json
    return user


def token_for(world: World) -> str:
    return str(sign_up(world, f"{new_id().lower()}@example.com")["token"])


def authorize(world: World, header: str | None) -> Any:
    """Return the authorizer's answer to an `Authorization` header."""
    event: dict[str, Any] = {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": "arn:aws:execute-api:us-east-1:123456789012:api/$default/GET/api/orders",
        "identitySource": [header] if header is not None else [],
        "routeKey": "GET /api/orders",
        "rawPath": "/api/orders",
        "headers": {"authorization": header} if header is not None else {},
        "requestContext": {"requestId": "request", "http": {"method": "GET", "path": "/api/orders"}},
    }
    return world.invoke("auth.authorizer", event)
