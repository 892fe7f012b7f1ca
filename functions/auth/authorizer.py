"""The Lambda authorizer of the HTTP API: finds the session of the token, and passes the user to the services.

Every request is authorised. Requests without a valid token pass as anonymous; each service decides whether to reject
them, with a problem document. A rejection by API Gateway would be a 403 in its own format.

API Gateway caches the result for half a minute by the `Authorization` header, so the decision must depend on that
header and the user's item only. A session that was ended is accepted that much longer, at most.
"""

from dataclasses import dataclass
from typing import Any

from functions.auth.authentication import Identity, authenticate
from functions.auth.keys import key_ring
from functions.auth.store import UserStore
from functions.auth.tokens import Tokens, tokens_in
from shared import settings
from shared.table import Table


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the authorizer."""

    stage: str
    table_name: str
    jwt_secret_arn: str
    email_verification: str


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Entry point. Lambda authorizer, payload format 2.0, simple response."""
    env = settings.load(Settings)
    tokens = Tokens(key_ring(env.jwt_secret_arn), stage=env.stage)
    candidates = tokens_in((event.get("headers") or {}).get("authorization"))
    identity = authenticate(UserStore(Table(env.table_name)), tokens, candidates)
    context = _user_context(identity, env.email_verification) if identity else {}
    return {"isAuthorized": True, "context": context}


def _user_context(identity: Identity, email_verification: str) -> dict[str, str]:
    """Return what the services learn of a user. On a stage that requires no proof, every address counts as proved."""
    is_verified = identity.email_verified or email_verification != "required"
    return {
        "userID": identity.user_id,
        "email": identity.email,
        "emailVerified": str(is_verified).lower(),
        "sessionID": identity.session_id,
    }
