"""Histories of the whole system, with faults of every kind, break no guarantee."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.simulation.choices import shrink
from tests.simulation.controls import CONTROLS
from tests.simulation.history import run
from tests.simulation.pool import Pool

HISTORIES = 300
BUDGET = 250


@pytest.fixture(scope="module")
def pool(template: dict[str, Any]) -> Iterator[Pool]:
    with Pool(template) as made:
        yield made


def test_no_history_breaks_a_guarantee(pool: Pool) -> None:
    counts: Counter[str] = Counter()
    for outcome in pool.run(range(HISTORIES)):
        assert outcome.violation is None, f"\n{outcome}"
        counts += outcome.counts

    # A simulation in which nothing happens proves nothing.
    for what in ("orders completed", "orders cancelled", "intents succeeded", "intents canceled", "messages lost"):
        assert counts[what] > 50, f"{what}: {counts}"
    for what in ("OrdersSwept", "PaymentsRepaired"):
        assert counts[what] > 0, f"{what}: {counts}"
    assert counts["at rest"] > HISTORIES / 3
    assert counts["faults"] > 10 * HISTORIES


def test_a_history_repeats_to_the_letter_from_its_seed_and_from_its_choices(template: dict[str, Any]) -> None:
    first, again = run(template, 7), run(template, 7)
    replayed = run(template, 7, replayed=first.choices)

    assert first.story == again.story == replayed.story
    assert len(first.story) > 100


def test_a_failing_history_is_shrunk_to_one_that_still_fails(template: dict[str, Any]) -> None:
    def fails(choices: Sequence[int]) -> bool:
        return bool(run(template, seed, replayed=choices).violation)

    with CONTROLS["a takeover leaves the lapsed order as it is"].take_out():
        seed, failed = next((s, o) for s in range(50) if (o := run(template, s)).violation)
        short = run(template, seed, replayed=shrink(failed.choices, fails, tries=12))

    assert short.violation
    assert len(short.story) < len(failed.story)


@pytest.fixture(scope="module")
def caught(pool: Pool) -> dict[str, Any]:
    """All controls at once, since each may take some seconds."""
    return {control: pool.catch(control, budget=BUDGET) for control in CONTROLS}


@pytest.mark.parametrize("control", CONTROLS)
def test_the_simulation_notices_when_a_guard_is_out(caught: dict[str, Any], control: str) -> None:
    outcome = caught[control].result()

    assert outcome is not None, f"{control}: nothing noticed in {BUDGET} histories"
