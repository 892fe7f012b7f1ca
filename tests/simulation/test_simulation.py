"""Runs of the whole system, with faults of every kind, violate no invariant."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.simulation.choices import shrink
from tests.simulation.mutations import MUTATIONS
from tests.simulation.pool import Pool
from tests.simulation.run import run
from tests.support.thoroughness import THOROUGH

RUNS = 300 if THOROUGH else 40
"""The nightly workflow has 20,000 with a seed from the date; these find what breaks the simulation itself."""
BUDGET = 250


@pytest.fixture(scope="module")
def pool(template: dict[str, Any]) -> Iterator[Pool]:
    with Pool(template) as made:
        yield made


def test_no_run_violates_an_invariant(pool: Pool) -> None:
    counts: Counter[str] = Counter()
    for outcome in pool.run(range(RUNS)):
        assert outcome.violation is None, f"\n{outcome}"
        counts += outcome.counts

    # Guards against a simulation in which nothing happens.
    assert counts["orders completed"] > RUNS / 4, str(counts)
    assert counts["refunds accepted"] > RUNS / 20, str(counts)
    for what in ("orders cancelled", "intents succeeded", "intents canceled", "messages lost"):
        assert counts[what] > RUNS / 4, f"{what}: {counts}"
    for what in ("OrdersSwept", "PaymentsRepaired"):
        assert counts[what] > 0, f"{what}: {counts}"
    assert counts["at rest"] > RUNS / 3
    assert counts["faults"] > 10 * RUNS


def test_a_run_repeats_exactly_from_its_seed_or_choices(template: dict[str, Any]) -> None:
    first, again = run(template, 7), run(template, 7)
    replayed = run(template, 7, replayed=first.choices)

    assert first.transcript == again.transcript == replayed.transcript
    assert len(first.transcript) > 100


def test_a_failing_run_is_shrunk_and_still_fails(template: dict[str, Any]) -> None:
    def fails(choices: Sequence[int]) -> bool:
        return bool(run(template, seed, replayed=choices).violation)

    mutation = MUTATIONS["a takeover does not expire the lapsed order"]
    with mutation.remove_guard():
        seed, failed = next((s, o) for s in mutation.seeds(50) if (o := run(template, s)).violation)
        shrunk = shrink(failed.choices, fails, tries=12)
        short = run(template, seed, replayed=shrunk)

    assert short.violation
    assert sum(map(bool, shrunk)) < sum(map(bool, failed.choices)), "0 is the simplest choice"


@pytest.fixture(scope="module")
def caught(pool: Pool) -> dict[str, Any]:
    """All mutations started at once, since each may take some seconds."""
    return {control: pool.catch(control, budget=BUDGET) for control in MUTATIONS}


@pytest.mark.parametrize("control", MUTATIONS)
def test_the_simulation_detects_each_mutation(caught: dict[str, Any], control: str) -> None:
    outcome = caught[control].result()

    assert outcome is not None, f"{control}: not detected in {BUDGET} runs"
