"""The authorizer of the HTTP API: from a token to the user that the other services are told of.

Everybody is let in. Who has no good token comes without a user, and each service refuses that itself where it needs
one, as a problem document; a refusal by API Gateway would be a 403 in words of its own.

API Gateway keeps the answer for five minutes under the `Authorization` header, so nothing but that header may decide.
"""

from dataclasses import dataclass
from typing import Any

from functions.auth.keys import key_ring
from functions.auth.tokens import Tokens, tokens_in
from shared import settings


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment of the authorizer."""

    stage: str
    jwt_secret_arn: str


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Entry point (Lambda authorizer, payload format 2.0, simple response)."""
    env = settings.load(Settings)
    tokens = Tokens(key_ring(env.jwt_secret_arn), stage=env.stage)
    identity = tokens.first(tokens_in((event.get("headers") or {}).get("authorization")))
    context = {"userID": identity.user_id, "email": identity.email} if identity else {}
    return {"isAuthorized": True, "context": context}
