"""The Lambda authorizer of the HTTP API: verifies the token and passes the user to the services.

Every request is authorised. Requests without a valid token pass as anonymous; each service decides whether to reject
them, with a problem document. A rejection by API Gateway would be a 403 in its own format.

API Gateway caches the result for five minutes by the `Authorization` header, so the decision must depend on that header
only.
"""

from dataclasses import dataclass
from typing import Any

from functions.auth.keys import key_ring
from functions.auth.tokens import Tokens, tokens_in
from shared import settings


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the authorizer."""

    stage: str
    jwt_secret_arn: str


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Entry point. Lambda authorizer, payload format 2.0, simple response."""
    env = settings.load(Settings)
    tokens = Tokens(key_ring(env.jwt_secret_arn), stage=env.stage)
    identity = tokens.first(tokens_in((event.get("headers") or {}).get("authorization")))
    context = {"userID": identity.user_id, "email": identity.email} if identity else {}
    return {"isAuthorized": True, "context": context}
