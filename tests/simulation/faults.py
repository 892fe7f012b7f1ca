"""What can go wrong with a call, and how often it does in a history.

A call may be refused, may not get through, may have its effect and lose its answer, may be made twice by an SDK that
lost the answer of the first; and the process that makes it may die right before or right after.
"""

from dataclasses import dataclass, fields, replace
from typing import Self

from tests.simulation.choices import Choices


class ProcessDied(BaseException):
    """The process is gone between two calls; no handler of any exception gets to run."""


@dataclass(frozen=True)
class Profile:
    """How often each fault happens, as a probability for each call, delivery or step."""

    refused: float = 0.0
    """A call to AWS or Stripe is throttled, in conflict, or answered with an error of their own."""
    unreachable: float = 0.0
    """A call does not get through."""
    answer_lost: float = 0.0
    """A call has its effect and its answer is lost."""
    repeated: float = 0.0
    """A call is made a second time by the SDK, for the answer of the first was lost."""
    interleaved: float = 0.0
    """Something else happens, from beginning to end, between two calls of a function."""
    stale_read: float = 0.0
    """A read that need not be consistent shows the item as it was before its last write."""
    dies: float = 0.0
    """The process dies before or after a call."""
    delivered_twice: float = 0.0
    """A message, record, timer or webhook comes again."""
    webhook_lost: float = 0.0
    """A webhook's delivery fails, so that Stripe comes again."""
    declined: float = 0.0
    """A card is declined."""
    by_hand: float = 0.0
    """Somebody does something by hand, where others would do something: at Stripe, or with the key of the tokens."""
    dead_letters: int = 0
    """How many messages (or timers) are lost for good, into a dead-letter queue."""

    @classmethod
    def draw(cls, choices: Choices) -> Self:
        """A mixture of its own for each history: some faults not at all, some now and then, some all the time."""
        levels = (0.0, 0.0, 0.02, 0.1)
        drawn = {field.name: choices.pick(levels) for field in fields(cls) if field.name != "dead_letters"}
        drawn["interleaved"] = choices.pick((0.0, 0.2, 0.6))
        drawn["declined"] = choices.pick((0.0, 0.3))
        drawn["by_hand"] = choices.pick((0.0, 0.0, 0.05))
        return cls(**drawn, dead_letters=choices.pick((0, 1)))

    def healed(self) -> Self:
        """From now on nothing fails any more."""
        return replace(type(self)(), dead_letters=0)

    def __str__(self) -> str:
        return (
            ", ".join(f"{field.name} {value}" for field in fields(self) if (value := getattr(self, field.name)))
            or "none"
        )
