"""Output of `make run` and `make demo`: one line for each step, with its result and duration."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

console = Console(highlight=False, soft_wrap=True)
errors = Console(highlight=False, soft_wrap=True, stderr=True)


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Print a line that ends with ✓ and the last message of the caller, or with ✗ if the step raises.

    A terminal also shows the messages while the step runs.
    """
    result = ""

    def say(text: str) -> None:
        nonlocal result
        result = text
        status.update(f"{escape(title)} ... {escape(text)}")

    status = console.status(f"{escape(title)} ...")
    started = time.monotonic()
    try:
        with status:
            yield say
    except BaseException:
        console.print(f"  [red]✗[/] {escape(title)}")
        raise
    took = time.monotonic() - started
    console.print(f"  [green]✓[/] {escape(title):<38} [dim]{took:6.1f} s[/]  {escape(result)}".rstrip())


def fail(message: object) -> int:
    """Print the error and return the exit code."""
    sys.stdout.flush()
    errors.print(f"[red]{escape(str(message))}[/]")
    return 1
