"""Profiles: the packages that a cold start imports, and the time of a warm request outside its calls."""

import cProfile
import pstats
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping

from benchmarks.cold_start import start
from benchmarks.quiet import quiet
from benchmarks.result import Result, spread
from benchmarks.warm import on_tape
from benchmarks.zips import content, functions, template

COLD = ("auth api", "orders api", "orders listener", "expiration expire")
WARM = {"get a ticket": "get_ticket", "place an order": "place_order"}  # values are the names of the routes' functions
ROUNDS = 5
REPEATS = 10
PACKAGES = {
    "botocore": ("botocore", "urllib3", "jmespath", "dateutil"),
    "pydantic": ("pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"),
    "powertools": ("aws_lambda_powertools",),
    "our own code": ("functions", "shared"),
}
REST = "the standard library and others"


def measure() -> list[Result]:
    """Shares in percent."""
    imported = [function for function in functions(template()) if function.name in COLD]
    results = []
    for function in imported:
        shares: dict[str, list[float]] = defaultdict(list)
        for _ in range(ROUNDS):
            times = _imports(f"{content(function.package)}", start(function))
            for group in (*PACKAGES, REST):
                shares[group].append(100 * times[group] / times.total())
        results += [
            Result(
                what=f"imports of {function.name}: {group}",
                figure=statistics.median(found),
                unit="%",
                spread=spread(found),
            )
            for group, found in shares.items()
        ]
    return results + [result for route in WARM for result in _request(route)]


def _imports(packages: str, program: str) -> Counter[str]:
    """The time in microseconds to import each group of packages in a fresh process, without nested imports."""
    timed = [sys.executable, "-I", "-S", "-B", "-X", "importtime", "-c"]
    command = [*timed, f"import sys; sys.path.insert(0, {packages!r}); {program}"]
    environment = {"AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_SERVICE_NAME": "benchmark"}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    times = Counter[str]()
    for line in ran.stderr.splitlines():
        taken, _, rest = line.removeprefix("import time:").partition("|")
        if taken.strip().isdecimal():
            times[_group(rest.rpartition("|")[2].strip().partition(".")[0])] += int(taken)
    return times


def _group(package: str) -> str:
    return next((group for group, members in PACKAGES.items() if package in members), REST)


def _request(route: str) -> list[Result]:
    from tests.support import metered_operations, metered_stack  # sets the environment variables

    with metered_stack.alone(template()) as make, quiet():
        handle, _ = on_tape(make(), metered_operations.OPERATIONS[route])
        handle()
        profile = cProfile.Profile()
        with profile:
            for _ in range(REPEATS):
                handle()
    times = _cumulative(profile)
    whole, routing, ours = (times[name] for name in ("handle", "resolve", WARM[route]))
    calls, log = times["_api_call"], times["info"]
    parts = {
        "calls to AWS": calls,
        "routing, validation, answer": routing - ours,
        "the log": log,
        "our own code": whole - routing + ours - calls - log,
    }
    return [
        Result(what=f"{route}, warm: {part}", figure=100 * taken / whole, unit="%") for part, taken in parts.items()
    ]


def _cumulative(profile: cProfile.Profile) -> Mapping[str, float]:
    """Cumulative seconds of each function by its bare name; of functions with the same name, the longest."""
    times: dict[str, float] = defaultdict(float)
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    for (_, _, name), (_, _, _, cumulative, _) in stats.items():
        times[name] = max(times[name], cumulative)
    return times
