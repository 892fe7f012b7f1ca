"""The whole local Admit One as one object: the local AWS, Stripe, the mailbox, the deployed app and the edge proxy."""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from local import ROOT
from local.api_client import Client
from local.cloud.deployment import Deployed, deploy, edge_proof, give_stripe_keys
from local.cloud.local_aws import LocalAws, LocalAwsFailed, state_file
from local.edge import PROOF_VARIABLE
from local.supervision.lock import Lock, is_held
from local.supervision.ports import HOST, Ports, is_listening
from local.supervision.processes import Child, clean_environment
from stripe_emulator import account as stripe_account

LOCAL = ROOT / ".local"
TEMPORARY = LOCAL / "temporary"
LOCK_NAME = "lock"
REAL_STRIPE = "https://api.stripe.com"
WEBHOOK_PATH = "/api/payments/webhook"
CONNECT_WEBHOOK_PATH = "/api/payouts/webhook"
FINISHES_WITHIN = 2.5
"""Seconds that a stop waits for work in flight. Unfinished work continues at the next start."""

type Step = Callable[[str], AbstractContextManager[Callable[[str], None]]]
"""Announces a step; within it, a call reports the result."""


class StackFailed(RuntimeError):
    """A part did not start; the text names it and gives the reason."""


class BadStripeKey(RuntimeError):
    """A key that is not of Stripe's test mode; local stacks must never move money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeKeys:
    secret: str = field(repr=False)
    publishable: str
    webhook: str = field(repr=False)
    connect_webhook: str = field(repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self | None:
        """Stripe's own test keys, if they are set. Raises BadStripeKey."""
        secret = environment.get("STRIPE_SECRET_KEY", "")
        if not secret:
            return None
        if not secret.startswith(("sk_test_", "rk_test_")):
            raise BadStripeKey("STRIPE_SECRET_KEY is not a key of Stripe's test mode (sk_test_...): not used.")
        return cls(
            secret=secret,
            publishable=environment.get("STRIPE_PUBLISHABLE_KEY", ""),
            webhook=environment.get("STRIPE_WEBHOOK_SECRET", ""),
            connect_webhook=environment.get("STRIPE_CONNECT_WEBHOOK_SECRET", ""),
        )


LOCAL_STRIPE_KEYS = StripeKeys(
    secret=stripe_account.SECRET_KEY,
    publishable=stripe_account.PUBLISHABLE_KEY,
    webhook=stripe_account.WEBHOOK_SECRET,
    connect_webhook=stripe_account.CONNECT_WEBHOOK_SECRET,
)


@contextmanager
def silent_step(_: str) -> Iterator[Callable[[str], None]]:
    yield lambda _: None


class LocalStack:
    """Use it as a context manager, or call `start` and then, even if that raises, `stop`.

    `folder` holds logs and scratch files, and with `keep` also the data that survives a restart. `stripe` holds keys of
    Stripe's own test mode; None selects the local Stripe. `keep_open` lists file descriptors that every process of the
    stack holds until it has ended, such as a lock.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ports: Ports,
        order_window_seconds: int,
        keep: bool,
        logs: Path | None = None,
        stripe: StripeKeys | None = None,
        step: Step = silent_step,
        keep_open: Sequence[int] = (),
    ) -> None:
        self.folder = folder
        self.ports = ports
        self.order_window_seconds = order_window_seconds
        self.logs = logs or folder / "logs"
        self.url = f"http://{HOST}:{ports.edge_proxy}"
        self.stripe_url = f"http://{HOST}:{ports.stripe}"
        self.mailbox_url = f"{self.url}/mail"
        self._mails = folder / "mails"
        self._keep = keep
        self._stripe = stripe
        self._step = step
        self._keep_open = keep_open
        self._aws: LocalAws | None = None
        self._children: list[Child] = []
        self._edge_proxy: Child | None = None

    @property
    def aws(self) -> LocalAws:
        if self._aws is None:
            raise StackFailed("The stack is not started.")
        return self._aws

    @property
    def api(self) -> Client:
        return Client(self.url)

    def start(self) -> None:
        """Start all parts and wait until the API answers.

        Raises PortTaken, LocalAwsFailed, DeploymentFailed or StackFailed.
        """
        self.ports.check(with_stripe=self._stripe is None)
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._stripe is None:  # before the local AWS, where saved payment events continue at once
            with self._step("Start the local Stripe") as say:
                self._start_local_stripe()
                say(self.stripe_url)
        with self._step("Start the mailbox") as say:
            self._start_mailbox()
            say(self.mailbox_url)
        with self._step("Start the local AWS") as say:
            self._aws = LocalAws(
                port=self.ports.aws,
                scratch=self.folder / "scratch",
                logs=self.logs,
                state=self.folder if self._keep else None,
                smtp_port=self.ports.smtp,
                keep_open=self._keep_open,
            )
            say(f"ministack on {self._aws.url}")
        with self._step("Deploy the app") as say:
            deployed, changed = deploy(
                self._aws,
                folder=self.folder,
                logs=self.logs,
                order_window_seconds=self.order_window_seconds,
                stripe_api_base=REAL_STRIPE if self._stripe else self.stripe_url,
                public_origin=self.url,
                keep_open=self._keep_open,
            )
            keys = self._stripe or LOCAL_STRIPE_KEYS
            give_stripe_keys(
                self._aws,
                deployed,
                secret_key=keys.secret,
                publishable_key=keys.publishable,
                webhook_secret=keys.webhook,
                connect_webhook_secret=keys.connect_webhook,
            )
            say("deployed by CDK" if changed else "unchanged")
        with self._step("Start the edge proxy") as say:
            self._start_edge_proxy(deployed)
            say(self.url)

    def failure(self) -> str | None:
        """A description of a part that has ended by itself since the start, or None."""
        for child in self._children:
            if child.exit_code() is not None:
                return f"{child.name} has ended. The end of {child.log}:\n{child.output()}"
        if self._aws and self._aws.has_ended():
            return f"The local AWS has ended; see {self.logs / 'aws.log'}"
        return None

    def save_error(self) -> str:
        """The reason why the local AWS cannot save its state; empty if it can."""
        try:
            return self.aws.save_error()
        except LocalAwsFailed:
            return ""  # if it has ended, `failure` reports it

    def stop(self) -> str | None:
        """Stop all processes of the stack. May be called twice.

        Returns a description of the lost data if a stack with `keep` could not be saved, else None.
        """
        lost = self._finish_and_save(self._aws) if self._aws and self._keep else None
        with self._step("End the processes"):
            for child in reversed(self._children):
                child.ask_to_stop()
            if self._aws:
                self._aws.stop()
            for child in self._children:
                child.stop()
            self._children.clear()
            self._aws = self._edge_proxy = None
            shutil.rmtree(self.folder / "scratch", ignore_errors=True)
        return lost

    def _finish_and_save(self, aws: LocalAws) -> str | None:
        try:
            if not aws.has_ended():
                with self._step("Finish work in flight") as say:
                    self._finish(aws, say)
                with self._step("Save the data"):
                    aws.save()
                return None
            reason = "The local AWS had ended by itself"
        except LocalAwsFailed as error:
            reason = f"The data could not be saved ({error})"
        seconds = aws.seconds_since_saved()
        if seconds is None:
            return f"{reason}, and nothing of this run was saved. Start again with: make run"
        return (
            f"{reason}. It was saved {seconds:.0f} seconds ago; what happened after that is lost, "
            "except payments at Stripe. Start again with: make run"
        )

    def _finish(self, aws: LocalAws, say: Callable[[str], None]) -> None:
        """Close the edge proxy and wait for requests, events and timers to end, at most FINISHES_WITHIN seconds."""
        if self._edge_proxy:
            self._edge_proxy.ask_to_stop()
        deadline = time.monotonic() + FINISHES_WITHIN
        quiet = 0
        while quiet < 3:  # an event may be between two steps and not counted for a moment
            left = aws.in_flight()
            shown = ", ".join(f"{count} {kind}" for kind, count in left.items() if count)
            quiet = 0 if shown else quiet + 1
            if shown and time.monotonic() > deadline:
                say(f"not done: {shown}. Events and timers continue at the next start")
                return
            say(shown)
            time.sleep(0.05)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_local_stripe(self) -> None:
        saved = state_file(self.folder)
        command = [
            *(sys.executable, "-m", "stripe_emulator"),
            *("--port", str(self.ports.stripe)),
            *("--webhook-url", f"{self.url}{WEBHOOK_PATH}"),
            *("--webhook-secret", LOCAL_STRIPE_KEYS.webhook),
            *("--connect-webhook-url", f"{self.url}{CONNECT_WEBHOOK_PATH}"),
            *("--connect-webhook-secret", LOCAL_STRIPE_KEYS.connect_webhook),
            *(("--state", str(self.folder / "stripe.json")) if self._keep else ()),
            *(("--resend-since", str(saved.stat().st_mtime)) if self._keep and saved.exists() else ()),
        ]
        child = self._start("the local Stripe", command, "stripe.log")
        self._wait(child, Client(self.stripe_url).is_there)

    def _start_mailbox(self) -> None:
        command = [
            *(sys.executable, "-m", "local.mailbox.server"),
            *("--port", str(self.ports.smtp)),
            *("--folder", str(self._mails)),
        ]
        child = self._start("the mailbox", command, "mailbox.log")
        self._wait(child, lambda: is_listening(self.ports.smtp))

    def _start_edge_proxy(self, deployed: Deployed) -> None:
        command = [
            *(sys.executable, "-m", "local.edge.proxy"),
            *("--port", str(self.ports.edge_proxy)),
            *("--aws-port", str(self.ports.aws)),
            *("--api-id", deployed.api_id),
            *("--mails", str(self._mails)),
            *(("--stripe-port", str(self.ports.stripe)) if self._stripe is None else ()),
        ]
        environment = clean_environment(**{PROOF_VARIABLE: edge_proof(self.aws, deployed)})
        self._edge_proxy = self._start("the edge proxy", command, "edge-proxy.log", environment)
        self._wait(self._edge_proxy, Client(self.url).is_there)

    def _start(
        self, name: str, command: Sequence[str], log: str, environment: Mapping[str, str] | None = None
    ) -> Child:
        environment = environment or clean_environment()
        child = Child(name, command, log=self.logs / log, environment=environment, keep_open=self._keep_open)
        self._children.append(child)
        return child

    def _wait(self, child: Child, is_there: Callable[[], bool], *, seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not is_there():
            if child.exit_code() is not None:
                raise StackFailed(f"{child.name} did not start:\n{child.output()}")
            if time.monotonic() > deadline:
                raise StackFailed(f"{child.name} does not answer after {seconds:.0f} s; see {child.log}")
            time.sleep(0.05)


@contextmanager
def temporary_stack(
    name: str, *, order_window_seconds: int, step: Step = silent_step, logs: Path | None = None, keep: bool = False
) -> Iterator[LocalStack]:
    """A separate stack on free ports, removed afterwards; its logs are kept if a folder is given.

    With `keep`, it keeps its data when it is stopped and started again.
    """
    TEMPORARY.mkdir(parents=True, exist_ok=True)
    _sweep_temporary()
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=TEMPORARY))
    try:
        with (
            Lock(folder / LOCK_NAME) as lock,
            LocalStack(
                folder,
                ports=Ports.free(),
                order_window_seconds=order_window_seconds,
                keep=keep,
                logs=logs,
                step=step,
                keep_open=[lock.descriptor],
            ) as stack,
        ):
            yield stack
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep_temporary() -> None:
    """Remove the remains of killed runs."""
    for folder in TEMPORARY.iterdir():
        if (folder / LOCK_NAME).exists() and not is_held(folder / LOCK_NAME):
            shutil.rmtree(folder, ignore_errors=True)
