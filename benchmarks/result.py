"""One result of `make bench`: a figure with its target, and whether the target is met."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One figure, in `unit`; `target` is None if the figure is only reported.

    `spread` is the interquartile range of the runs.
    """

    what: str
    figure: float
    unit: str
    target: float | None = None
    at_least: bool = False
    spread: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the figure meets its target; None without a target."""
        if self.target is None:
            return None
        return self.figure >= self.target if self.at_least else self.figure <= self.target

    def as_json(self) -> dict[str, Any]:
        """The result as stored in results.json."""
        entry = asdict(self) | {"holds": self.holds}
        del entry["at_least"]
        return entry


def spread(values: Sequence[float]) -> float:
    """The interquartile range of the values."""
    first, _, third = statistics.quantiles(values, n=4)
    return third - first


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that this percentage of the values does not exceed, interpolated between two of them."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
