"""Breadth-first exploration of all histories of a model, with the shortest history of a violation.

A model yields the steps of a state. Those marked `expected` are certain to happen in the end, if nothing prevents them:
messages arrive, schedules run, banks decide. The others are faults, and what people may do.
"""

import gc
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Step[S](NamedTuple):
    """One transition. `violation`: what the step itself does wrong, if anything."""

    label: str
    state: S
    expected: bool = True
    violation: str | None = None


@dataclass(frozen=True)
class Finding:
    """A violation, and the labels of the steps that lead to it. `states`: how many were explored until then."""

    violation: str | None
    history: list[str]
    states: int


def explore[S: Hashable](
    initial: S,
    steps: Callable[[S], Iterator[Step[S]]],
    *,
    violation_of: Callable[[S], str | None],
    is_settled: Callable[[S], bool],
) -> Finding:
    """Explore every state that can be reached from `initial`.

    Each state has to satisfy `violation_of`. The expected steps alone have to lead from each state to a settled one,
    whichever are taken: they form no cycle, and where none is left the state is settled.
    """
    gc.disable()  # nothing here is garbage before the end, and looking for it takes most of the time
    try:
        return _explore(initial, steps, violation_of, is_settled)
    finally:
        gc.enable()


def _explore[S: Hashable](
    initial: S,
    steps: Callable[[S], Iterator[Step[S]]],
    violation_of: Callable[[S], str | None],
    is_settled: Callable[[S], bool],
) -> Finding:
    parents: dict[S, tuple[S, str] | None] = {initial: None}
    expected: dict[S, list[tuple[str, S]]] = {}
    queue = deque([initial])

    def found(violation: str | None, state: S, *more: str) -> Finding:
        history = list(more)
        while (parent := parents[state]) is not None:
            state, label = parent
            history.insert(0, label)
        return Finding(violation, history, len(parents))

    while queue:
        state = queue.popleft()
        following = expected[state] = []
        for step in steps(state):
            if step.state == state:
                continue
            if step.violation:
                return found(step.violation, state, step.label)
            if step.state not in parents:
                parents[step.state] = (state, step.label)
                if violation := violation_of(step.state):
                    return found(violation, step.state)
                queue.append(step.state)
            if step.expected:
                following.append((step.label, step.state))
        if not following and not is_settled(state):
            return found("comes to rest unsettled", state)
    cycle = _cycle(expected)
    return found("never comes to rest", cycle[0][1], *(label for label, _ in cycle)) if cycle else found(None, initial)


def _cycle[S: Hashable](following: dict[S, list[tuple[str, S]]]) -> list[tuple[str, S]]:
    """Return a cycle of steps, each with the state before it; empty if there is none.

    Removes states of which all next states are removed. What remains leads to a cycle.
    """
    preceding: dict[S, list[S]] = {}
    open_steps = {state: len(nexts) for state, nexts in following.items()}
    for state, nexts in following.items():
        for _, after in nexts:
            preceding.setdefault(after, []).append(state)
    ended = [state for state, count in open_steps.items() if not count]
    while ended:
        for before in preceding.get(ended.pop(), ()):
            open_steps[before] -= 1
            if not open_steps[before]:
                ended.append(before)
    here = next((state for state, count in open_steps.items() if count), None)
    walked: dict[S, str] = {}
    while here is not None and here not in walked:
        walked[here], here = next((label, after) for label, after in following[here] if open_steps[after])
    steps = [(label, before) for before, label in walked.items()]
    return steps[list(walked).index(here) :] if here is not None else []
