"""A user's sessions: the browsers and programs in which they are signed in.

A token names its session, and is valid as long as its session is listed with the user. Ending a session therefore ends
its tokens.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

LIFE = timedelta(hours=12)
MAX_SESSIONS = 20
"""Of one user. The authorizer reads all of them with each check, so their number is limited."""

_BROWSERS = (  # in this order: a browser also names those that it resembles
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_PROGRAM = re.compile(r"[A-Za-z][\w.-]{0,29}", re.ASCII)
UNKNOWN_CLIENT = "unknown client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session. `client` names the browser or program in words."""

    id: str
    client: str
    created_at: datetime

    @property
    def expires_at(self) -> datetime:
        """The end of the session, unless it is ended before."""
        return self.created_at + LIFE


def describe_client(user_agent: str | None) -> str:
    """Return the client in words, such as "Firefox on Windows" or "curl", from a `User-Agent` header.

    The header is what the caller sends: the words contain known names and at most one short name from the header.
    """
    sent = user_agent or ""
    browser = next((name for part, name in _BROWSERS if f"{part}/" in sent), None)
    system = next((name for part, name in _SYSTEMS if part in sent), None)
    if sent.startswith("Mozilla/"):
        return " on ".join(filter(None, (browser or "browser", system)))
    program = _PROGRAM.match(sent)
    return program[0] if program else UNKNOWN_CLIENT
