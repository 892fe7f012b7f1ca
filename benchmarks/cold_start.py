"""Cold starts: the processor time of a fresh process for a function's handler and its first AWS client.

Compared with `import boto3; boto3.client("dynamodb")` from an unmodified install of the same boto3, both compiled, in
alternation. Neither includes the interpreter's own start.
"""

import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from benchmarks.result import Result, spread
from benchmarks.zips import Function, content, functions, template, unmodified_boto3

ROUNDS = 11
QUICK_ROUNDS = 2
BETWEEN_REFERENCES = 3
REFERENCE = "import boto3; boto3.client('dynamodb')"
FIRST_CLIENT = {  # functions whose first client is not DynamoDB's
    "auth authorizer": "secretsmanager",
    "relay": "events",
    "expiration expire": "events",
    "expiration listener": "scheduler",
}
TARGETS = {"api": 1.30, "listener": 1.15, "authorizer": 1.15, "payments": 1.60, "relay": 0.95, "expire": 0.95}


def measure(*, quick: bool) -> list[Result]:
    """The ratio of each function."""
    measured = list(functions(template()))
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(QUICK_ROUNDS if quick else ROUNDS):
        for number, function in enumerate(measured):
            if number % BETWEEN_REFERENCES == 0:
                times["reference"].append(seconds(unmodified_boto3(), REFERENCE))
            times[function.name].append(seconds(content(function.package), start(function)))
    reference = statistics.median(times["reference"])
    ratios = {name: [taken / reference for taken in runs] for name, runs in times.items()}
    return [
        Result(
            what=f"cold start: {function.name}",
            figure=statistics.median(ratios[function.name]),
            unit="of a boto3 client",
            target=target(function),
            spread=spread(ratios[function.name]),
        )
        for function in measured
    ] + [
        Result(
            what="cold start: the reference itself",
            figure=reference * 1000,
            unit="ms of processor",
            spread=spread(times["reference"]) * 1000,
        )
    ]


def target(function: Function) -> float:
    """The target ratio. Payments' functions import Stripe's SDK; the sweep starts like a listener."""
    if function.package == "payments":
        return TARGETS["payments"]
    return TARGETS.get(function.name.rpartition(" ")[2], TARGETS["listener"])


def start(function: Function) -> str:
    """A program that does the same work as a cold start of the function."""
    client = FIRST_CLIENT.get(function.name, "dynamodb")
    return f"import {function.module}; from shared import aws; aws.{client}()"


def seconds(packages: Path, program: str) -> float:
    """The processor time of the program, in seconds, in a fresh process with only these packages on its path."""
    timed = (
        f"import sys, time; sys.path.insert(0, {str(packages)!r}); began = time.process_time(); {program}; "
        "print(time.process_time() - began)"
    )
    environment = {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "benchmark",
        "POWERTOOLS_SERVICE_NAME": "benchmark",
    }
    command = [sys.executable, "-I", "-S", "-B", "-c", timed]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    return float(ran.stdout)
