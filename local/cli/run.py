"""`make run`: the whole of Admit One on this machine, until Ctrl-C."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.markup import escape

from local.api_client import ApiUnreachable, UnexpectedResponse
from local.cli.console import console, errors, fail, step
from local.cli.seed import BUYER, PASSWORD, SELLER, NotListed, Seeded, seed
from local.cloud.deployment import DeploymentFailed
from local.cloud.function_logs import FunctionLogs
from local.cloud.local_aws import LocalAwsFailed
from local.stack import LOCAL, WEBHOOK_PATH, BadStripeKey, LocalStack, StackFailed, StripeKeys
from local.supervision.lock import Lock, Locked
from local.supervision.ports import BadPort, Ports, PortTaken

RUN_LOCK = LOCAL / "run.lock"
STATE = LOCAL / "state"
LOGS = LOCAL / "logs"
WINDOW = 300
"""Seconds that an order holds its ticket, unless ORDER_WINDOW_SECONDS is set."""

FAILURES = (
    ApiUnreachable,
    BadPort,
    BadStripeKey,
    DeploymentFailed,
    LocalAwsFailed,
    NotListed,
    PortTaken,
    StackFailed,
    UnexpectedResponse,
)
_PREVIOUS_ENDS_WITHIN = 30.0


class BadWindow(RuntimeError):
    pass


class Stopped(BaseException):
    """A signal has requested that the process ends."""


def main() -> int:
    _on_stop_signals(_stop)
    try:
        with _only_run() as lock:
            return _run(lock)
    except Locked as locked:
        url = locked.holder.get("url")
        return fail(
            f"`make run` is already running here (process {locked.holder.get('pid', 'unknown')}"
            f"{f', {url}' if url else ''}). Use it, or stop it with Ctrl-C there."
        )
    except (*FAILURES, BadWindow) as error:
        return fail(error)
    except Stopped:
        return 0


def order_window_seconds() -> int:
    """Read ORDER_WINDOW_SECONDS. Raises BadWindow."""
    text = os.environ.get("ORDER_WINDOW_SECONDS") or str(WINDOW)
    if not text.isdecimal() or not 1 <= int(text) <= 86_400:
        raise BadWindow(f"ORDER_WINDOW_SECONDS must be from 1 to 86400, not {text!r}.")
    return int(text)


def _run(lock: Lock) -> int:
    started = time.monotonic()
    parent = os.getppid() if os.environ.get("MAKELEVEL") else None
    window = order_window_seconds()
    stripe = StripeKeys.from_environment(os.environ)
    stack = LocalStack(
        STATE,
        ports=Ports.from_environment(),
        order_window_seconds=window,
        keep=True,
        logs=LOGS,
        stripe=stripe,
        step=step,
        keep_open=[lock.descriptor],
    )
    stack.ports.check(with_stripe=stripe is None)
    for log in LOGS.glob("*.log"):
        log.unlink()
    console.print("[bold]Admit One[/] on this machine")
    code = 0
    save_error = ""
    try:
        stack.start()
        function_logs = FunctionLogs(stack.aws, LOGS / "functions.log")
        with step("Put tickets on sale") as say:
            seeded = seed(stack.api)
            say(f"{len(seeded.tickets)} tickets")
        lock.describe({"url": stack.url, "orderWindowSeconds": window, "localStripe": stripe is None})
        _show(stack, seeded, window=window, real_stripe=stripe is not None, took=time.monotonic() - started)
        while (failure := stack.failure()) is None:
            time.sleep(0.5)
            if parent and os.getppid() != parent:
                raise Stopped  # make was killed
            function_logs.follow()
            if (error := stack.save_error()) != save_error:
                save_error = error
                _show_save_error(error)
        code = fail(failure)
    except Stopped:
        pass
    finally:
        _on_stop_signals(signal.SIG_IGN)
        if lost := stack.stop():
            code = fail(lost)
    return code


@contextmanager
def _only_run() -> Iterator[Lock]:
    """Take the lock that one `make run` of this checkout holds. Waits for a killed run to end. Raises Locked."""
    deadline = time.monotonic() + _PREVIOUS_ENDS_WITHIN
    warned = False
    while True:
        try:
            lock = Lock(RUN_LOCK)
        except Locked as locked:
            if _is_alive(locked.holder.get("pid")) or time.monotonic() > deadline:
                raise
            if not warned:
                console.print("Waiting for the last run to end ...")
                warned = True
            time.sleep(0.2)
            continue
        with lock:
            yield lock
        return


def _is_alive(process: Any) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, TypeError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def _show(stack: LocalStack, seeded: Seeded, *, window: int, real_stripe: bool, took: float) -> None:
    console.print(f"\n[bold]Admit One is at {stack.url}[/] [dim](after {took:.0f} s)[/]\n")
    console.print(f"  Users     {SELLER} sells, {BUYER} buys; the password of both is {PASSWORD}")
    for number, ticket in enumerate(seeded.tickets):
        price = f"{ticket['price']:>7} {ticket['currency'].upper()}"
        console.print(f"  {'' if number else 'Tickets':<8}  {ticket['id']}  {price}  {escape(ticket['title'])}")
    console.print(f"  Try       curl {stack.url}/api/tickets")
    console.print("            make demo")
    console.print(f"  Orders    hold their ticket for {window} s (ORDER_WINDOW_SECONDS)")
    if real_stripe:
        console.print("  Stripe    is Stripe's own test mode. Forward its webhooks with its command line:")
        console.print(f"            stripe listen --forward-to {stack.url}{WEBHOOK_PATH}")
    else:
        console.print("  Stripe    is the local Stripe: pay with the token tok_visa")
    console.print(f"  Mail      {stack.mailbox_url} shows every mail; none leaves this machine")
    console.print(f"  Logs      {LOGS.relative_to(LOCAL.parent)}/")
    console.print("\nCtrl-C stops everything and keeps the data; `make reset` deletes it.")


def _show_save_error(error: str) -> None:
    if error:
        errors.print(
            f"[red]The data cannot be saved: {escape(error)}. New changes are lost until saving works again.[/]"
        )
    else:
        console.print("The data is saved again.")


def _stop(*_: object) -> None:
    _on_stop_signals(signal.SIG_IGN)  # a second Ctrl-C changes nothing
    raise Stopped


def _on_stop_signals(action: "Callable[..., None] | signal.Handlers") -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, action)


if __name__ == "__main__":
    code = main()
    errors.file.flush()
    sys.exit(code)
