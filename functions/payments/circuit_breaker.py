"""The circuit breaker in front of Stripe, for requests of buyers.

While Stripe fails, a buyer is refused at once, and does not wait for a timeout. The state belongs to one execution
environment, which serves one request at a time: it needs no lock, and no call to a table.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

MAX_OUTAGES = 2
"""Consecutive outages that open the circuit. Each may have kept a buyer waiting for the timeout."""
OPEN_FOR = timedelta(seconds=10)


@dataclass(slots=True)
class CircuitBreaker:
    """Opens after MAX_OUTAGES consecutive outages.

    After OPEN_FOR it allows a request on trial: its first call closes the circuit, or opens it again.
    """

    outages: int = 0
    last_outage: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        """Return whether a request must be refused now."""
        if self.outages < MAX_OUTAGES or self.last_outage is None:
            return False
        return now < self.last_outage + OPEN_FOR

    def record(self, now: datetime, *, is_outage: bool) -> None:
        """Record the outcome of one call."""
        self.outages = self.outages + 1 if is_outage else 0
        self.last_outage = now if is_outage else None
