"""Rate limits: counters over fixed windows of 15 minutes, three of them for a sign-in.

An attempt is counted before its password is checked, so that concurrent guesses are all counted, and removed again if
the password was right. The counters therefore hold failures.

The counters are checked in the order of `counters`. The first full one rejects the attempt, and the attempt is removed
from those before it. The order prevents one attacker from locking out a user: after 10 failures for one e-mail from
their network, or 300 from their network, their attempts no longer reach the counter of the e-mail, which its owner
shares. Filling that one (50) takes failures from five networks or more.

A device on which the user has signed in before (`device`) has one counter of its own instead, so no failures of others
lock it out. A stolen device cookie allows the guesses of that counter.

Fixed windows let up to twice the limit pass around a boundary. A sliding window would have to store every attempt; a
single counter with a conditional write has no race.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, IPv6Network, ip_address

from shared import clock

WINDOW = timedelta(minutes=15)

EMAIL_AND_ADDRESS_LIMIT = 10
ADDRESS_LIMIT = 300
EMAIL_LIMIT = 50
DEVICE_LIMIT = 10
PASSWORD_LIMIT = 10
LINKS_PER_USER = 5
RESETS_PER_NETWORK = 50

CUSTOMER_PREFIX = 64  # prefix length in bits that a provider assigns to one customer (IPv6)


class TooManyAttempts(Exception):
    """Too many attempts. `retry_after`: seconds until the next window."""

    def __init__(self, retry_after: int, reason: str = "too many failed sign-ins") -> None:
        super().__init__(f"{reason}; try again later")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter of attempts in one window: its key, its limit, and the end of the window."""

    name: str
    limit: int
    ends: datetime

    def retry_after(self, now: datetime) -> int:
        """Return whole seconds until the end of the window, at least 1."""
        return max(1, -((now - self.ends) // timedelta(seconds=1)))


def device_counter(device_id: str, *, now: datetime) -> Counter:
    """Return the counter of the attempts with one device cookie."""
    return _counter("device", device_id, DEVICE_LIMIT, now)


def sign_up_counter(*, address: str, limit: int, now: datetime) -> Counter:
    """Return the counter of the sign-ups from one network, which counts every attempt."""
    return _counter("sign-up", _network(address), limit, now)


def password_counter(user_id: str, *, now: datetime) -> Counter:
    """Return the counter of the wrong passwords with which a signed-in user confirms changes."""
    return _counter("password", user_id, PASSWORD_LIMIT, now)


def link_counter(user_id: str, *, now: datetime) -> Counter:
    """Return the counter of the links that a signed-in user asks for."""
    return _counter("link", user_id, LINKS_PER_USER, now)


def reset_counters(*, email: str, address: str, now: datetime) -> tuple[Counter, Counter]:
    """Return the counters of requests for a new password: of one network, and of one address, known or not."""
    network = _network(address)
    return _counter("reset-network", network, RESETS_PER_NETWORK, now), _counter("reset", email, LINKS_PER_USER, now)


def counters(*, email: str, address: str, now: datetime) -> tuple[Counter, ...]:
    """Return the counters of a sign-in attempt, in the order in which they must be checked."""
    network = _network(address)
    return (
        _counter("email-address", f"{email} {network}", EMAIL_AND_ADDRESS_LIMIT, now),
        _counter("address", network, ADDRESS_LIMIT, now),
        _counter("email", email, EMAIL_LIMIT, now),
    )


def _counter(scope: str, subject: str, limit: int, now: datetime) -> Counter:
    number = (now - clock.EPOCH) // WINDOW
    ends = clock.EPOCH + (number + 1) * WINDOW
    return Counter(f"{scope}#{hashlib.sha256(subject.encode()).hexdigest()}#{number}", limit, ends)


def _network(address: str) -> str:
    """Return the network of one customer: the IPv4 address, or the IPv6 /64, since one customer has a whole /64."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Network((int(parsed), CUSTOMER_PREFIX), strict=False))
    return str(parsed)
