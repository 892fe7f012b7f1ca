"""The faults of calls, and how often each happens in a run.

The faults of calls have the names of `tests.support.faults`; the simulation does not distinguish the kinds of refusals.
"""

from dataclasses import dataclass, fields, replace
from typing import Self

from tests.simulation.choices import Choices


class ProcessDied(BaseException):
    """The process died between two calls; no exception handler may run."""


@dataclass(frozen=True)
class Profile:
    """How often each fault happens, as a probability for each call, delivery or step."""

    refused: float = 0.0
    """A call to AWS or Stripe ends in a throttle, a conflict or a server error."""
    unreachable: float = 0.0
    """A call does not arrive."""
    response_lost: float = 0.0
    """A call takes effect and its response is lost."""
    sdk_retry: float = 0.0
    """The SDK repeats a call because the first response was lost."""
    interleaved: float = 0.0
    """Another operation runs, from beginning to end, between two calls of a function."""
    stale_read: float = 0.0
    """An eventually consistent read returns the item before its last write."""
    crash: float = 0.0
    """The process dies right before or right after a call."""
    duplicate: float = 0.0
    """A message, record, timer or webhook is delivered again."""
    webhook_lost: float = 0.0
    """The delivery of a webhook fails, so that Stripe retries."""
    declined: float = 0.0
    """A card is declined."""
    by_hand: float = 0.0
    """An operator acts at Stripe or rotates the signing key, in place of a user's action."""
    late_refund: float = 0.0
    """A buyer pays with a card whose refunds are pending at first, or fail later."""
    stripe_refuses: float = 0.0
    """Stripe will refuse to capture, void or refund a payment, for good or for ten minutes."""
    accounts: float = 0.05
    """A user does something about their account, in place of another action."""
    slow_stripe: float = 0.0
    """A call to Stripe takes seconds; from the caller's timeout on it is lost."""
    outage: float = 0.0
    """EventBridge, Secrets Manager or Stripe is down for hours. Once in a run, as a probability for each step."""
    skew: int = 0
    """Seconds by which a function's clock may be fast or slow."""
    early_timers: int = 0
    """Seconds by which a timer may fire early."""
    closing: float = 0.0
    """No fault: a user deletes their account, as a probability for each action. Some runs have it (`run.CLOSES`)."""
    payouts: float = 0.0
    """No fault: sellers connect accounts and sell, Stripe decides, and money moves by hand, as a probability for each
    action. Some runs have it (`run.PAYS`)."""
    refunding: float = 0.0
    """No fault: users buy, ask for refunds, refund, and sell again what was refunded, as a probability for each action.
    Some runs have it (`run.REFUNDS`)."""
    dead_letters: int = 0
    """Number of messages (or timers) that are lost for good, into a dead-letter queue."""
    lost_timers: int = 0
    """Number of timers that are lost besides. Some runs have it (`run.LOSES_TIMERS`)."""

    @property
    def has_failing_calls(self) -> bool:
        """Whether a process may not learn what a call has done, or die after it, or the SDK makes it twice."""
        return any((self.refused, self.unreachable, self.response_lost, self.crash, self.sdk_retry))

    @classmethod
    def draw(cls, choices: Choices) -> Self:
        """Draw a profile for one run: each fault is absent, rare or frequent."""
        levels = (0.0, 0.0, 0.02, 0.1)
        others = (
            *("accounts", "closing", "payouts", "refunding"),
            *("dead_letters", "lost_timers", "skew", "early_timers", "outage"),
        )
        drawn = {field.name: choices.pick(levels) for field in fields(cls) if field.name not in others}
        drawn["interleaved"] = choices.pick((0.0, 0.2, 0.6))
        drawn["declined"] = choices.pick((0.0, 0.3))
        drawn["by_hand"] = choices.pick((0.0, 0.0, 0.05))
        drawn["late_refund"] = choices.pick((0.0, 0.5))
        return cls(
            **drawn,
            outage=choices.pick((0.0, 0.0, 0.03)),
            skew=choices.pick((0, 3)),
            early_timers=choices.pick((0, 30)),
            dead_letters=choices.pick((0, 1)),
            lost_timers=0,
        )

    def healed(self) -> Self:
        """The profile without faults."""
        return replace(type(self)(), dead_letters=0)

    def __str__(self) -> str:
        chosen = ((field.name, getattr(self, field.name)) for field in fields(self) if field.name != "accounts")
        return ", ".join(f"{name} {value}" for name, value in chosen if value) or "none"
