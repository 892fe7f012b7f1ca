"""Faults in the calls from the functions of a running stack to the local AWS."""

import json
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from local.stack import LocalStack
from local.supervision.ports import HOST, Ports
from local.supervision.processes import Child, clean_environment


@contextmanager
def faults_between(stack: LocalStack, folder: Path) -> Iterator[Callable[[list[dict[str, Any]]], int]]:
    """Put microburst between the functions and the local AWS; yields a function that sets its rules.

    That function returns the number of faults injected so far.
    """
    port = Ports.free().aws
    url = f"http://{HOST}:{port}"
    proxy = Child(
        "microburst",
        [sys.executable, "-m", "microburst", "-u", stack.aws.url, "-p", str(port), "--host", HOST],
        log=folder / "microburst.log",
        environment=clean_environment(),
    )

    def set_rules(rules: list[dict[str, Any]]) -> int:
        fired = json.loads(_control(f"{url}/_microburst/stats"))
        _control(f"{url}/_microburst/rules", json.dumps(rules).encode())
        return int(fired["requests"]["faulted"])

    try:
        _wait_for(f"{url}/_microburst/stats", proxy)
        functions = stack.aws.functions()
        for page in functions.get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                if function["Handler"].startswith("functions."):
                    variables = function["Environment"]["Variables"] | {"AWS_ENDPOINT_URL": url}
                    functions.update_function_configuration(
                        FunctionName=function["FunctionName"], Environment={"Variables": variables}
                    )
        yield set_rules
    finally:
        proxy.stop()


def _control(url: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310  # our own local server
        content: bytes = response.read()
    return content


def _wait_for(url: str, proxy: Child) -> None:
    until = time.monotonic() + 30
    while True:
        with suppress(OSError):
            _control(url)
            return
        if time.monotonic() > until:
            raise RuntimeError(f"microburst did not start:\n{proxy.output()}")
        time.sleep(0.05)
