"""How often somebody may try to sign in: three counters, each over fixed windows of 15 minutes by the clock.

A try is counted before its password is looked at, so that a thousand guesses at once are a thousand counted guesses,
and taken off again when the password was right. What is left are the failures.

The counters are asked in the order of `counters`, and the first that is full ends it; the ones before it are given
back. That order is what keeps one attacker from locking out others beyond the limits: whoever has used up their ten
tries for an address, or their network's three hundred, is stopped before they reach the count that the address's owner
shares with them. Only failures from five networks or more can fill that one.

Fixed windows let twice a limit pass around the instant where two of them meet. A window that slides would need every
try remembered; one number that cannot be raced is worth more.
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

CUSTOMER_PREFIX = 64  # the bits of an IPv6 address that its owner does not choose


class TooManyAttempts(Exception):
    """Too many failed sign-ins; `retry_after` is the number of seconds until the counting begins again."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("too many failed sign-ins; try again later")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Counter:
    """Failed sign-ins of one kind in one window: at most `limit`, kept until `ends`."""

    name: str
    limit: int
    ends: datetime

    def retry_after(self, now: datetime) -> int:
        """Whole seconds until the window has ended, at least one."""
        return max(1, -((now - self.ends) // timedelta(seconds=1)))


def counters(*, email: str, address: str, now: datetime) -> tuple[Counter, ...]:
    """The counters of a try to sign in, in the order in which they are to be asked."""
    number = (now - clock.EPOCH) // WINDOW
    ends = clock.EPOCH + (number + 1) * WINDOW
    network = _network(address)
    return tuple(
        Counter(f"{scope}#{hashlib.sha256(subject.encode()).hexdigest()}#{number}", limit, ends)
        for scope, subject, limit in (
            ("email-address", f"{email} {network}", EMAIL_AND_ADDRESS_LIMIT),
            ("address", network, ADDRESS_LIMIT),
            ("email", email, EMAIL_LIMIT),
        )
    )


def _network(address: str) -> str:
    """What one customer of a provider has: an IPv4 address, or a /64 of IPv6, in which addresses never run out."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Network((int(parsed), CUSTOMER_PREFIX), strict=False))
    return str(parsed)
