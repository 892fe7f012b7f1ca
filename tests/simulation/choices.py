"""The choices of a run: drawn from its seed and recorded, so that a run can be repeated and shrunk."""

import random
from collections.abc import Callable, Sequence


class Choices:
    """Numbers below a bound, from a seed; or from a recorded list, and 0 after its end.

    0 is always the simplest choice: no fault, nothing repeated. Removing parts of a list therefore gives a simpler run.
    """

    def __init__(self, seed: int, replayed: Sequence[int] | None = None) -> None:
        self.made: list[int] = []
        self._random = random.Random(seed)  # noqa: S311  # for tests
        self._replayed = replayed

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1."""
        if self._replayed is None:
            choice = self._random.randrange(bound)
        else:
            position = len(self.made)
            choice = self._replayed[position] % bound if position < len(self._replayed) else 0
        self.made.append(choice)
        return choice

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return probability > 0 and self.below(1000) >= 1000 - round(1000 * probability)

    def pick[T](self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.below(len(options))]


def shrink(choices: Sequence[int], still_fails: Callable[[Sequence[int]], bool], *, tries: int) -> list[int]:
    """A shorter list of choices that still fails: removes ever smaller parts, then sets parts to 0."""
    best = list(choices)
    size = len(best) // 2
    while size >= 1 and tries > 0:
        position = 0
        while position < len(best) and tries > 0:
            tries -= 1
            without = best[:position] + best[position + size :]
            dulled = [*best[:position], *([0] * len(best[position : position + size])), *best[position + size :]]
            if still_fails(without):
                best = without
            elif any(best[position : position + size]) and still_fails(dulled):
                best = dulled
                position += size
            else:
                position += size
        size //= 2
    return best
