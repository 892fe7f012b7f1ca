"""`make simulate RUNS=n SEED=s`: simulate runs until one violates an invariant, and print the shortest that does."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.simulation.choices import shrink
from tests.simulation.pool import Pool
from tests.simulation.run import RunResult, run
from tests.support.synth import synthesize_with_sender

SHRINKING_TRIES = 400


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="number of runs")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first run; each following run adds 1")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        template = synthesize_with_sender("dev", Path(folder))
    started = time.monotonic()
    counts: Counter[str] = Counter()
    with Pool(template) as pool:
        for number, outcome in enumerate(pool.run(range(args.seed, args.seed + args.runs)), start=1):
            counts += outcome.counts
            if outcome.violation:
                print(f"\nAfter {number} runs, one violates an invariant. Shrinking it ...")
                print(shortest(template, outcome))
                print(f"\nRepeat it with: make simulate RUNS=1 SEED={outcome.seed}")
                return 1
            if number % 100 == 0 or number == args.runs:
                print(f"\r{number} runs, {time.monotonic() - started:.0f} s", end="", flush=True)
    print("\nNo invariant was violated. In these runs:", ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
    return 0


def shortest(template: Mapping[str, Any], failed: RunResult) -> RunResult:
    """Shrink the failed run to the fewest choices found that still violate an invariant."""

    def still_fails(choices: Sequence[int]) -> bool:
        return bool(run(template, failed.seed, replayed=choices).violation)

    return run(template, failed.seed, replayed=shrink(failed.choices, still_fails, tries=SHRINKING_TRIES))


if __name__ == "__main__":
    sys.exit(main())
