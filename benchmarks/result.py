"""What a point of `make bench` found: a figure beside its target, and whether the target holds."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One figure, in `unit`; `target` is None where a figure is only reported.

    `spread` is the distance between the first and the third quartile of the runs.
    """

    what: str
    figure: float
    unit: str
    target: float | None = None
    at_least: bool = False
    spread: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the figure meets its target; None where there is none."""
        if self.target is None:
            return None
        return self.figure >= self.target if self.at_least else self.figure <= self.target

    def as_json(self) -> dict[str, Any]:
        """The result as it stands in results.json."""
        told = asdict(self) | {"holds": self.holds}
        del told["at_least"]
        return told


def spread(values: Sequence[float]) -> float:
    """The distance between the first and the third quartile."""
    first, _, third = statistics.quantiles(values, n=4)
    return third - first
