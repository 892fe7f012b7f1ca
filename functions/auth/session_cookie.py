"""The session cookie, which holds the token.

A browser may send several cookies of one name, since any site on a parent domain can set its own. Each is a candidate,
and the first with a valid token is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from aws_lambda_powertools.shared.cookies import Cookie, SameSite

from functions.auth.session import LIFE
from functions.auth.tokens import MAX_CANDIDATES, tokens_in
from shared import settings

OLD_COOKIE = "session"
"""The name before `__Host-admit-one`. Its sessions last 12 hours: remove it, and the one in
cdk/edge_functions/api_request.js, in the deployment after the one that introduced the new name.
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of the session cookie: its name on this stage. The prefix `__Host-` implies TLS."""

    session_cookie: str


def begin(token: str) -> list[Cookie]:
    """Return the cookie that starts a session."""
    return [cookie(name(), token, max_age=int(LIFE.total_seconds()))]


def end() -> list[Cookie]:
    """Return the cookies that end a session, under both names."""
    return [cookie(name(), "", max_age=0), cookie(OLD_COOKIE, "", max_age=0, secure=True)]


def candidates(event: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the tokens of a request: those in its Authorization header if it has one, else those in its cookies.

    The edge turns cookies into that header; other callers send cookies.
    """
    headers = event.get("headers") or {}
    if "authorization" in headers:
        return tokens_in(headers["authorization"])
    sent = cookies(event)
    found = (
        value for cookie_name in (name(), OLD_COOKIE) for sent_name, value in sent if sent_name == cookie_name and value
    )
    return tuple(islice(dict.fromkeys(found), MAX_CANDIDATES))


def cookies(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the names and values of a request's cookies. The edge removes them.

    The HTTP API moves cookies from the headers to `cookies`; other callers leave them in the headers.
    """
    headers = event.get("headers") or {}
    sent = (each.strip().partition("=") for each in event.get("cookies") or headers.get("cookie", "").split(";"))
    return [(its_name, value) for its_name, _, value in sent]


def cookie(name: str, value: str, *, max_age: int, secure: bool | None = None) -> Cookie:
    """Return a cookie for this host only. `__Host-` requires Secure; Safari rejects Secure cookies without TLS."""
    is_secure = name.startswith("__Host-") if secure is None else secure
    return Cookie(name, value, path="/", secure=is_secure, http_only=True, same_site=SameSite.LAX_MODE, max_age=max_age)


def name() -> str:
    """Return the name of the session cookie on this stage."""
    found: str = settings.load(Settings).session_cookie
    return found
