"""The session: the token, as browsers keep it in a cookie and as requests bring it back.

A browser may hold several cookies of one name, since any site on a parent domain can set its own. So each that came is
a candidate, and the first whose token is good counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from aws_lambda_powertools.shared.cookies import Cookie, SameSite

from functions.auth.tokens import LIFE, MOST_CANDIDATES, tokens_in
from shared import settings

OLD_COOKIE = "session"
"""The name before `__Host-admit-one`. Its sessions last 12 hours: it can go in the deployment after the one that brings
the new name, and with it the one in cdk/edge_functions/api_request.js.
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment of the session cookie: its name on this stage, which says whether there is TLS."""

    session_cookie: str


def begin(token: str) -> list[Cookie]:
    """The cookie that begins a session."""
    return [_cookie(_name(), token, max_age=int(LIFE.total_seconds()))]


def end() -> list[Cookie]:
    """The cookies that end a session, under the old name too."""
    return [_cookie(_name(), "", max_age=0), _cookie(OLD_COOKIE, "", max_age=0, secure=True)]


def candidates(event: Mapping[str, Any]) -> tuple[str, ...]:
    """The tokens that a request brings: those of its Authorization header, where there is one, else of its cookies.

    Through the edge cookies come as that header; whatever else may call leaves them as they are.
    """
    headers = event.get("headers") or {}
    if "authorization" in headers:
        return tokens_in(headers["authorization"])
    # The HTTP API takes cookies out of the headers; other callers leave them there.
    sent = [each.strip().partition("=") for each in event.get("cookies") or headers.get("cookie", "").split(";")]
    found = (value for wanted in (_name(), OLD_COOKIE) for name, _, value in sent if name == wanted and value)
    return tuple(islice(dict.fromkeys(found), MOST_CANDIDATES))


def _cookie(name: str, value: str, *, max_age: int, secure: bool | None = None) -> Cookie:
    """A cookie for this host alone. `__Host-` demands Secure; without TLS, Secure would keep Safari from taking it."""
    is_secure = name.startswith("__Host-") if secure is None else secure
    return Cookie(name, value, path="/", secure=is_secure, http_only=True, same_site=SameSite.LAX_MODE, max_age=max_age)


def _name() -> str:
    name: str = settings.load(Settings).session_cookie
    return name
