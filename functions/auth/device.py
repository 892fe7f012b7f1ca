"""Device cookies: a browser in which a user has signed in before is not locked out by the attempts of others.

Each successful sign-in or sign-up gives the browser a signed cookie for that e-mail address. Attempts with a valid one
have a counter of their own, and neither fill nor meet the counters of unknown devices. Source: OWASP, "Slow Down Online
Guessing Attacks with Device Cookies".

A cookie proves no identity: without the password it only allows the guesses that its own counter allows.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any

from aws_lambda_powertools.shared.cookies import Cookie
from botocore.exceptions import BotoCoreError, ClientError

from functions.auth import session_cookie
from functions.auth.tokens import MAX_CANDIDATES, Tokens
from shared import clock
from shared.ids import new_id

AUDIENCE = "admit-one-device"
LIFE = timedelta(days=365)
HEADER = "x-admit-one-device"
"""The edge removes cookies and sends the values of device cookies in this header, separated by spaces."""


def remember(tokens: Tokens, email: str) -> Cookie:
    """Return the cookie of a device on which the user has just signed in. Raises botocore's errors."""
    subject = _digest(email)
    expires = int((clock.now() + LIFE).timestamp())
    value = tokens.sign({"aud": AUDIENCE, "sub": subject, "jti": new_id(), "exp": expires})
    # The digest lets several users of one browser have a cookie each.
    return session_cookie.cookie(f"{prefix()}{subject[:8]}", value, max_age=int(LIFE.total_seconds()))


def find(tokens: Tokens, event: Mapping[str, Any], email: str) -> str | None:
    """Return the id of the device from which this request comes, or None if it has no valid cookie for the address.

    The number of cookies that are checked is limited. If the keys cannot be read, the device counts as unknown.
    """
    try:
        found = (tokens.verify(each, audience=AUDIENCE, required=("sub", "jti")) for each in _candidates(event))
        return next((str(claims["jti"]) for claims in found if claims and claims["sub"] == _digest(email)), None)
    except (BotoCoreError, ClientError):
        return None


def prefix() -> str:
    """Return the beginning of the cookies' names on this stage."""
    return f"{session_cookie.name()}-device-"


def _candidates(event: Mapping[str, Any]) -> Iterable[str]:
    headers = event.get("headers") or {}
    if HEADER in headers:
        return str(headers[HEADER]).split()[:MAX_CANDIDATES]
    sent = (value for name, value in session_cookie.cookies(event) if name.startswith(prefix()) and value)
    return islice(dict.fromkeys(sent), MAX_CANDIDATES)


def _digest(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()
