"""CloudFront's cache of public tickets, in the memory of the edge proxy. `cdk/edge.py` configures the real one."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from local.edge.answer import Answer, Headers

UNCACHED_PATHS = ("/api/tickets/mine",)
CACHED_PATHS = ("/api/tickets", "/api/tickets/*")
"""Path patterns as in CloudFront: the first that matches applies, and `*` matches any text."""
MAX_SECONDS = 1.0
FRESH_HEADER = "x-admit-one-fresh"
"""Part of the key. The edge function gives it a unique value if the caller asks for a response that is not cached."""

_S_MAXAGE = re.compile(r"(?:^|,)\s*s-maxage=(\d+)\s*(?:,|$)")
_NOT_CACHED = re.compile("|".join(map(re.escape, UNCACHED_PATHS)))
_CACHED = re.compile("|".join(re.escape(path).replace(r"\*", ".*") for path in CACHED_PATHS))

type Key = tuple[str, str | None]


@dataclass(slots=True)
class _Flight:
    """A request to the API for which others with the same key wait. `answer` is None if it must not be shared."""

    is_over: asyncio.Event = field(default_factory=asyncio.Event)
    answer: Answer | None = None


def is_cached_path(path: str) -> bool:
    """Return whether responses to GET requests of this path may be cached, if they say so themselves."""
    return _CACHED.fullmatch(path) is not None and _NOT_CACHED.fullmatch(path) is None


def key_of(target: str, headers: Headers) -> Key:
    """Return the cache key: the path with the whole query string, and the header that asks for a fresh response."""
    return target, next((value for name, value in headers if name.lower() == FRESH_HEADER), None)


def seconds_of(answer: Answer) -> float:
    """Return for how long a response may be kept: 0 for an error, and without `s-maxage`."""
    if answer.status != HTTPStatus.OK:
        return 0
    found = _S_MAXAGE.search(answer.header("Cache-Control"))
    return min(float(found[1]), MAX_SECONDS) if found else 0


class Cache:
    """Keeps responses for the seconds of their `s-maxage`, one at most. Belongs to one event loop.

    Requests with the key of a request in flight wait for its response, as at CloudFront ("request collapsing"). If that
    cannot be cached, each of them sends a request of its own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[Key, tuple[float, float, Answer]] = {}  # stored at, valid until
        self._flights: dict[Key, _Flight] = {}

    async def answer(self, key: Key, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the cached response, or that of `ask`. Raises what `ask` raises."""
        now = self._clock()
        if key in self._kept and now < self._kept[key][1]:
            stored_at, _, answer = self._kept[key]
            return replace(answer, headers=[*answer.headers, ("Age", str(int(now - stored_at)))])
        if flight := self._flights.get(key):
            await flight.is_over.wait()
            return flight.answer or await ask()
        mine = self._flights[key] = _Flight()
        try:
            answer = await ask()
            self._keep(key, answer, mine)
            return answer
        finally:
            del self._flights[key]
            mine.is_over.set()

    def _keep(self, key: Key, answer: Answer, flight: _Flight) -> None:
        seconds = seconds_of(answer)
        if not seconds:
            return
        flight.answer = answer
        now = self._clock()
        self._kept = {each: kept for each, kept in self._kept.items() if now < kept[1]}
        self._kept[key] = (now, now + seconds, answer)
