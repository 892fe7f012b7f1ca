"""CloudFront's cache of public tickets, in the memory of the edge proxy. `cdk/edge.py` configures the real one."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from local.edge.functions import Headers

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


@dataclass(frozen=True, slots=True)
class Answer:
    """A response of the API."""

    status: int
    headers: Headers
    body: bytes


@dataclass(slots=True)
class _Flight:
    """A request to the API for which others with the same key wait. `answer` is None if it must not be shared."""

    is_over: threading.Event = field(default_factory=threading.Event)
    answer: Answer | None = None


def is_cached_path(path: str) -> bool:
    """Return whether responses to GET requests of this path may be cached, if they say so themselves."""
    return _CACHED.fullmatch(path) is not None and _NOT_CACHED.fullmatch(path) is None


def key_of(target: str, headers: Headers) -> Key:
    """Return the cache key: the path with the whole query string, and the header that asks for a fresh response."""
    return target, next((value for name, value in headers if name.lower() == FRESH_HEADER), None)


class Cache:
    """Keeps responses for the seconds of their `s-maxage`, one at most. Safe to call from many threads.

    Requests with the key of a request in flight wait for its response, as at CloudFront ("request collapsing"). If that
    cannot be cached, each of them sends a request of its own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Key, tuple[float, float, Answer]] = {}  # stored at, valid until
        self._flights: dict[Key, _Flight] = {}

    def answer(self, key: Key, ask: Callable[[], Answer]) -> Answer:
        """Return the cached response, or that of `ask`. Raises what `ask` raises."""
        with self._lock:
            now = self._clock()
            if key in self._kept and now < self._kept[key][1]:
                stored_at, _, answer = self._kept[key]
                return Answer(answer.status, [*answer.headers, ("Age", str(int(now - stored_at)))], answer.body)
            flight = self._flights.get(key)
            if flight is None:
                mine = self._flights[key] = _Flight()
        if flight is not None:
            flight.is_over.wait()
            return flight.answer or ask()
        try:
            answer = ask()
            self._keep(key, answer, mine)
            return answer
        finally:
            with self._lock:
                del self._flights[key]
            mine.is_over.set()

    def _keep(self, key: Key, answer: Answer, flight: _Flight) -> None:
        seconds = _seconds(answer)
        if not seconds:
            return
        flight.answer = answer
        with self._lock:
            now = self._clock()
            self._kept = {each: kept for each, kept in self._kept.items() if now < kept[1]}
            self._kept[key] = (now, now + seconds, answer)


def _seconds(answer: Answer) -> float:
    """Return for how long a response may be kept: 0 for an error, and without `s-maxage`."""
    if answer.status != HTTPStatus.OK:
        return 0
    control = ", ".join(value for name, value in answer.headers if name.lower() == "cache-control")
    found = _S_MAXAGE.search(control)
    return min(float(found[1]), MAX_SECONDS) if found else 0
