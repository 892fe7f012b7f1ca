"""One run of Admit One: the real handlers on a simulated cloud, with faults, until an invariant is violated.

Mode `safety`: faults throughout, invariants checked after every step. Mode `liveness`: at some point the faults stop,
and within 45 virtual minutes everything must be settled.
"""

import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock

import stripe
from argon2 import PasswordHasher
from botocore.exceptions import BotoCoreError
from ulid import ULID

from functions.auth import link, passwords
from functions.auth.keys import key_ring
from functions.payments import payout_gateway, stripe_gateway
from functions.payments.circuit_breaker import CircuitBreaker
from shared import aws, clock, ids, telemetry
from shared.telemetry import logger
from stripe_emulator import StripeAccount, WebhookEndpoint
from stripe_emulator.account import PUBLISHABLE_KEY, SECRET_KEY, random_ids
from stripe_emulator.webhooks import signature_header
from tests.simulation.choices import Choices
from tests.simulation.cloud import Cloud, Message, Network, Queue
from tests.simulation.faults import ProcessDied, Profile
from tests.simulation.invariants import (
    InvariantViolation,
    SellersChanges,
    check_after_capture,
    check_after_step,
    check_at_rest,
    check_no_mail_is_sent_twice,
    check_sales_are_mailed,
    intents,
    orders_and_tickets,
)
from tests.simulation.payouts import check_payouts, check_payouts_at_rest
from tests.simulation.quick_moto import quick
from tests.simulation.workload import Workload
from tests.support.fake_clock import FakeClock
from tests.support.lambda_events import http_event, sqs_batch

ULID_IN_TEXT = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
SETTLES_WITHIN = timedelta(minutes=45)
UNVERIFIED = 20  # every twentieth run refuses the writes of users who have not verified their address
CLOSES = 10  # in every tenth run users delete their accounts
CLOSING = 0.1
PAYS = 10  # in every tenth run sellers are paid
PAYING = 0.7
FINDER = "PaymentsPayoutsFinder"
REFUNDS = 2  # in every second run sellers refund their sales
REFUNDING = 0.5
LOSES_TIMERS = 5  # in every fifth run a timer is lost: few are, and most have nothing to do when they fire
DELIVERED_AT_ONCE = 12
ERASER = "AuthEraser"
STRICT = 4  # every fourth run allows each buyer one unpaid order only, so that simulated buyers reach the limit
OUTAGES = (frozenset({"put_events"}), frozenset({"get_secret_value"}), frozenset({"stripe"}))
"""The operations that fail while EventBridge, Secrets Manager or Stripe is down."""
MAX_OUTAGE_HOURS = 4
WEBHOOK_SECRET = "whsec_simulation"
CONNECT_WEBHOOK_SECRET = "whsec_simulation_connect"
WEBHOOK = ("/api/payments/webhook", WEBHOOK_SECRET)
CONNECT_WEBHOOK = ("/api/payouts/webhook", CONNECT_WEBHOOK_SECRET)
CLIENTS = ("dynamodb", "events", "scheduler", "secretsmanager", "ses", "sqs")
QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class RunResult:
    """The result of a run."""

    seed: int
    mode: str
    profile: Profile
    choices: list[int]
    transcript: list[str]
    violation: str | None = None
    counts: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        head = f"seed {self.seed}, mode {self.mode}, faults: {self.profile}"
        return "\n".join([head, *self.transcript, f"VIOLATED: {self.violation}"]) if self.violation else head


def run(
    template: Mapping[str, Any],
    seed: int,
    *,
    steps: int = 70,
    profile: Profile | None = None,
    replayed: Sequence[int] | None = None,
) -> RunResult:
    """Execute one run, with the seed's own fault profile unless one is given; or repeat one from its choices."""
    choices = Choices(seed, replayed)
    mode = choices.pick(("liveness", "safety"))
    drawn = Profile.draw(choices)
    if profile is None:
        profile = replace(drawn, closing=CLOSING) if seed % CLOSES == CLOSES - 1 else drawn
        profile = replace(profile, payouts=PAYING) if seed % PAYS == PAYS - 6 else profile
        profile = replace(profile, refunding=REFUNDING) if seed % REFUNDS == 0 and not profile.payouts else profile
        profile = replace(profile, lost_timers=1) if seed % LOSES_TIMERS == LOSES_TIMERS - 1 else profile
    outcome = RunResult(seed, mode, profile, choices.made, [])
    with quick(), _history(template, seed, choices, profile, outcome) as history:
        try:
            for _ in range(2 * steps if profile.payouts else steps):
                history.step()
            if mode == "liveness":
                history.come_to_rest()
            history.count()
        except InvariantViolation as violated:
            outcome.violation = str(violated)
    return outcome


@contextmanager
def _history(
    template: Mapping[str, Any], seed: int, choices: Choices, profile: Profile, outcome: RunResult
) -> Iterator["SimulationRun"]:
    """An isolated environment: clock, ids, AWS and Stripe of this process are replaced during the run."""
    time_ = FakeClock()
    network = Network(choices, profile, outcome.transcript)
    time_.meanwhile = network.pass_time
    cloud = Cloud(template, clock=time_, network=network)
    if seed % UNVERIFIED == 1:
        cloud.email_verification = "required"
    if not profile.closing:  # else its runs, which find nothing, would change the choices of all runs
        cloud.recurring = [each for each in cloud.recurring if not each.function.startswith(ERASER)]
    if not profile.payouts:  # as above
        cloud.recurring = [each for each in cloud.recurring if not each.function.startswith(FINDER)]
    if seed % STRICT == 0:
        cloud.holds_per_buyer = 1
    cloud.put_secret("AuthSigningKey", "the key that signs tokens, first version")
    cloud.put_secret(
        "PaymentsStripeKeys",
        json.dumps({"secretKey": SECRET_KEY, "publishableKey": PUBLISHABLE_KEY, "webhookSecret": WEBHOOK_SECRET}),
    )
    cloud.put_secret(
        "PaymentsPayoutsPayoutKeys",
        json.dumps({"secretKey": SECRET_KEY, "connectWebhookSecret": CONNECT_WEBHOOK_SECRET}),
    )
    key_ring.cache_clear()
    account = StripeAccount(
        clock=lambda: time_.instant.timestamp(),
        ids=random_ids(random.Random(seed)),  # noqa: S311  # for tests
        webhook=WebhookEndpoint("http://unused.invalid", WEBHOOK_SECRET),
        connect_webhook=WebhookEndpoint("http://unused.invalid", CONNECT_WEBHOOK_SECRET),
    )
    random.seed(seed)
    with ExitStack() as patches:
        patches.callback(key_ring.cache_clear)
        patches.callback(logger.setLevel, logger.log_level)
        logger.setLevel("CRITICAL")
        for target, name, value in (
            (clock, "now", time_.now),
            (clock, "sleep", time_.sleep),
            (ids, "ULID", _seeded_ulid(seed)),
            (passwords, "hasher", lambda: QUICK_HASHER),
            (passwords, "MEMORY_KIB", QUICK_HASHER.memory_cost),
            (passwords, "PASSES", QUICK_HASHER.time_cost),
            (link, "secrets", SimpleNamespace(token_urlsafe=_seeded_secrets(seed))),
            (stripe_gateway, "_cached", stripe_gateway._CachedKeys()),
            (payout_gateway, "_cached", payout_gateway._CachedKeys()),
            (stripe_gateway, "http_client", lambda timeout: StripeTransport(account, network, time_, timeout)),
            (stripe_gateway, "_breaker", CircuitBreaker()),
            (telemetry, "_put", lambda metric, _value, _unit: outcome.counts.update([metric])),
            *((aws, client, lambda: cloud) for client in CLIENTS),
            (aws, "functions", lambda: SimpleNamespace(invoke=cloud.call_function)),
        ):
            patches.enter_context(mock.patch.object(target, name, value))
        yield SimulationRun(cloud, account, choices, outcome)


class SimulationRun:
    """Chooses the next step."""

    def __init__(self, cloud: Cloud, account: StripeAccount, choices: Choices, outcome: RunResult) -> None:
        self._cloud = cloud
        self._stripe = account
        self._choices = choices
        self._people = Workload(cloud, account, choices)
        self._outcome = outcome
        self._changes = SellersChanges()
        self._lost = self._lost_timers = 0
        self._busy: set[str] = set()
        self._skew = timedelta(seconds=cloud.network.profile.skew)
        self._outage_ends: datetime | None = None
        cloud.network.interleave = self._meanwhile

    def step(self) -> None:
        """Execute one step and check the invariants."""
        self._begin_or_end_outage()
        possible: list[Callable[[], None]] = [*[self._people.act] * 4, self._let_time_pass]
        possible += [self._relay] * 4 * self._has_records()
        possible += [self._deliver_any] * 6 * bool(self._visible())
        is_calm = self._cloud.network.profile.refunding and not self._cloud.network.depth
        possible += [self._deliver_some] * 3 * bool(is_calm)
        possible += [self._fire_timer] * bool(self._due_timers())
        possible += [self._deliver_webhook] * bool(self._due_webhooks())
        possible += [self._run_recurring] * bool(self._due_recurring())
        self._choices.pick(possible)()
        self._check()

    def _check(self) -> None:
        # The clocks are right once the faults have stopped; what a fast one has decided just before is judged by it.
        check_after_step(self._cloud, self._stripe, self._changes, by_hand=self._people.by_hand, skew=self._skew)
        self._people.check_refunds_stand()
        if self._outcome.profile.payouts:
            check_payouts(self._cloud, self._stripe, self._cloud.network.profile.skew)
        if not self._outcome.profile.has_failing_calls:
            check_no_mail_is_sent_twice(self._cloud, self._cloud.mails)

    def _meanwhile(self, what: str) -> None:
        """Run steps between two calls of a function, mostly about the objects that it is about to write."""
        self._people.focus = frozenset(ULID_IN_TEXT.findall(what))
        with self._cloud.clock.skewed(timedelta()):
            for _ in range(1 + self._choices.below(5)):
                related = [pair for pair in self._visible() if self._is_related(pair[1])]
                hurries = self._choices.below(3)
                if hurries and related:
                    self._deliver(*self._choices.pick(related))
                elif hurries and self._has_records():
                    self._relay()
                else:
                    self.step()
                self._check()
        self._people.focus = frozenset()

    def _begin_or_end_outage(self) -> None:
        """Let a service fail for hours, once in a run."""
        network = self._cloud.network
        if self._outage_ends is None and self._choices.chance(network.profile.outage):
            network.down = self._choices.pick(OUTAGES)
            hours = 1 + self._choices.below(MAX_OUTAGE_HOURS)
            self._outage_ends = self._cloud.clock.instant + timedelta(hours=hours)
            self._log(f"{', '.join(network.down)} will fail for {hours} hours")
        if self._outage_ends and self._cloud.clock.instant >= self._outage_ends:
            network.down = frozenset()

    def _is_related(self, message: Message) -> bool:
        text = json.dumps(message.body)
        return any(ident in text for ident in self._people.focus)

    def come_to_rest(self) -> None:
        """Stop all faults: within bounded time no event may be left, and all services must agree."""
        self._log("the faults stop")
        self._cloud.network.profile = self._cloud.network.profile.healed()
        self._cloud.network.down = frozenset()
        until = self._cloud.clock.now() + SETTLES_WITHIN

        def recurring() -> list[Any]:  # with an end, so that its own effects can settle
            return self._due_recurring() if self._cloud.clock.now() < until else []

        while True:
            for is_possible, act in (
                (self._has_records, self._relay),
                (self._visible, self._deliver_any),
                (self._due_timers, self._fire_timer),
                (self._due_webhooks, self._deliver_webhook),
                (recurring, self._run_recurring),
            ):
                while is_possible():
                    act()
                    self._check()
            if self._cloud.clock.now() >= until and not self._has_records() and not self._visible():
                break
            self._cloud.clock.instant = self._next_instant()
        check_at_rest(self._cloud, self._stripe, self._changes, by_hand=self._people.by_hand, lost_messages=self._lost)
        if self._outcome.profile.payouts:
            check_payouts_at_rest(self._cloud, self._stripe)
        if not self._lost:
            check_sales_are_mailed(self._cloud, self._cloud.mails)
            self._people.accounts.check_erased()
        self._outcome.counts["at rest"] += 1

    def count(self) -> None:
        """Count what happened in this run, for the report."""
        counts = self._outcome.counts
        orders, _ = orders_and_tickets(self._cloud)
        counts.update(f"orders {order['status']}" for order in orders.values())
        counts.update(f"intents {intent['status']}" for intent in intents(self._stripe))
        counts["transfers"] += len(list(self._stripe._tables.rows("transfers")))
        counts["reversals"] += len(list(self._stripe._tables.rows("transfer_reversals")))
        counts["faults"] += self._cloud.network.faults
        counts["messages lost"] += self._lost
        counts.update(self._people.answered)
        counts["orders before a change"] += len(self._changes.outdated)
        counts["done by hand"] += len(self._people.by_hand)
        counts["refunds accepted"] += len(self._people.refunded)

    # Steps.

    def _relay(self) -> None:
        streams = self._cloud.database.streams
        table = self._choices.pick(self._streams_with_records())
        some = streams[table][: 1 + self._choices.below(min(len(streams[table]), 12))]
        self._log(f"relay {table[:8]}: {len(some)} records")
        self._busy.add(table)  # a shard's records are passed to one call of the function at a time
        published = self._published(self._cloud.relays[table], some)
        if published and not self._is_repeated():
            del streams[table][:published]
        self._busy.discard(table)
        for record in self._cloud.unpublished:  # records in the relay's dead-letter queue are redriven
            streams[table].append(json.loads(record))
        self._cloud.unpublished.clear()

    def _published(self, relay: str, records: list[Any]) -> int:
        """Pass records to a relay; return how many were published before the first that was not."""
        try:
            answer = self._cloud.invoke(relay, {"Records": records})
        except (Exception, ProcessDied) as error:
            self._failed(relay, error)
            return 0
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        failures = answer["batchItemFailures"]
        return numbers.index(failures[0]["itemIdentifier"]) if failures else len(records)

    def _deliver_any(self) -> None:
        self._deliver(*self._choices.pick(self._visible()))

    def _deliver(self, queue: Queue, message: Message) -> None:
        event_type = message.body.get("detail-type", "task")
        data = message.body["detail"]["data"] if "detail" in message.body else message.body
        self._log(f"{queue.consumer[:16]} ← {event_type} {json.dumps(data)[:150]}")
        if self._is_lost():
            self._log("        lost to a dead-letter queue")
            queue.messages.remove(message)
            queue.dead.append(message)
            return
        message.visible_at = self._cloud.clock.now() + queue.visibility
        message.received += 1
        answer = self._invoke(queue.consumer, sqs_batch(message.body))
        is_done = answer is not None and not answer["batchItemFailures"]
        if is_done and event_type == "payment:created":
            check_after_capture(self._cloud, data["orderId"])
        if is_done and not self._is_repeated():
            queue.messages[:] = [other for other in queue.messages if other is not message]

    def _deliver_some(self) -> None:
        """Publish and deliver for a while, so that purchases are completed and can be refunded."""
        for _ in range(DELIVERED_AT_ONCE):
            if self._has_records():
                self._relay()
            elif self._visible():
                self._deliver_any()
            self._check()

    def _fire_timer(self) -> None:
        name = self._choices.pick(self._due_timers())
        timer = self._cloud.timers[name]
        self._log(f"timer {name}")
        if (
            self._is_timer_lost()
            or self._is_lost()
            or (self._survives(timer.function, timer.payload) and not self._is_repeated())
        ):
            self._cloud.timers.pop(name, None)

    def _deliver_webhook(self) -> None:
        webhook = self._stripe.webhook(self._choices.pick(self._due_webhooks()))
        content = json.loads(webhook.body)
        path, secret = CONNECT_WEBHOOK if "account" in content else WEBHOOK
        event = http_event("POST", path, raw=webhook.body.decode())
        event["headers"]["stripe-signature"] = signature_header(webhook.body, secret, int(time.time()))
        self._log(f"webhook {webhook.event_type} {content['data']['object'].get('id')}")
        if self._choices.chance(self._cloud.network.profile.webhook_lost):
            self._cloud.network.note("webhook lost")
            self._stripe.webhook_answered(webhook.event_id, None)
            return
        self._busy.add(webhook.event_id)
        answer = self._cloud.http(event)
        self._busy.discard(webhook.event_id)
        if not self._is_repeated():
            self._stripe.webhook_answered(webhook.event_id, answer["statusCode"] if answer else None)

    def _run_recurring(self) -> None:
        recurring = self._choices.pick(self._due_recurring())
        recurring.due = self._cloud.clock.now() + recurring.every
        self._log(f"{recurring.function[:24]} runs")
        self._survives(recurring.function, {})

    def _let_time_pass(self) -> None:
        """Advance the clock by a moment, some seconds, or to the edge of the next thing that is due."""
        now = self._cloud.clock.now()
        edge = self._next_instant() + timedelta(milliseconds=self._choices.below(3) - 1)
        possible = [
            now + timedelta(milliseconds=1 + self._choices.below(500)),
            now + timedelta(seconds=1 + self._choices.below(60)),
            max(edge, now + timedelta(milliseconds=1)),
            now + timedelta(minutes=1 + self._choices.below(6)),
        ]
        possible += [self._outage_ends] * 2 if self._cloud.network.down and self._outage_ends else []
        self._cloud.clock.instant = self._choices.pick(possible)

    # Possible steps.

    def _has_records(self) -> bool:
        return bool(self._streams_with_records())

    def _streams_with_records(self) -> list[str]:
        return [name for name, records in self._cloud.database.streams.items() if records and name not in self._busy]

    def _visible(self) -> list[tuple[Queue, Message]]:
        now = self._cloud.clock.now()
        return [(q, m) for q in self._cloud.queues.values() for m in q.messages if m.visible_at <= now]

    def _due_timers(self) -> list[str]:
        early = timedelta(seconds=self._cloud.network.profile.early_timers)
        return [name for name, timer in self._cloud.timers.items() if timer.due - early <= self._cloud.clock.now()]

    def _due_webhooks(self) -> list[str]:
        return [event_id for event_id in self._stripe.due_webhooks() if event_id not in self._busy]

    def _due_recurring(self) -> list[Any]:
        return [each for each in self._cloud.recurring if each.due <= self._cloud.clock.now()]

    def _next_instant(self) -> datetime:
        """The earliest instant at which another step becomes possible, or a minute from now."""
        now = self._cloud.clock.now()
        instants = [m.visible_at for queue in self._cloud.queues.values() for m in queue.messages]
        early = timedelta(seconds=self._cloud.network.profile.early_timers)
        instants += [timer.due - early for timer in self._cloud.timers.values()]
        instants += [each.due for each in self._cloud.recurring]
        return min([instant for instant in instants if instant > now], default=now + timedelta(minutes=1))

    def _survives(self, function: str, event: object) -> bool:
        """Whether a function ran to its end; if not, its caller retries."""
        try:
            self._cloud.invoke(function, event)
        except (Exception, ProcessDied) as error:
            self._failed(function, error)
            return False
        return True

    def _invoke(self, function: str, event: object) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = self._cloud.invoke(function, event)
        except ProcessDied:
            return None
        return answer

    def _failed(self, function: str, error: BaseException) -> None:
        self._log(f"        {function[:24]} failed: {error!r}"[:200])

    def _is_repeated(self) -> bool:
        again = self._choices.chance(self._cloud.network.profile.duplicate)
        if again:
            self._cloud.network.note("will be delivered again")
        return again

    def _is_lost(self) -> bool:
        is_possible = self._lost - self._lost_timers < self._cloud.network.profile.dead_letters
        return is_possible and self._choices.chance(0.1) and self._lose()

    def _is_timer_lost(self) -> bool:
        is_possible = self._lost_timers < self._cloud.network.profile.lost_timers
        is_lost = is_possible and self._choices.chance(0.5) and self._lose()
        self._lost_timers += is_lost
        return is_lost

    def _lose(self) -> bool:
        self._lost += 1
        self._cloud.network.note("lost for good")
        return True

    def _log(self, what: str) -> None:
        indent = "    " * self._cloud.network.depth
        self._outcome.transcript.append(f"{self._cloud.clock.now():%H:%M:%S.%f}"[:-3] + f" {indent}{what}")


class StripeTransport(stripe.HTTPClient):
    """Sends the SDK's requests to the local Stripe through the simulated network."""

    name = "simulation"

    def __init__(self, account: StripeAccount, network: Network, clock: FakeClock, timeout_seconds: float) -> None:
        super().__init__()
        self._account = account
        self._network = network
        self._clock = clock
        self._timeout = timedelta(seconds=timeout_seconds)
        self._has_buyer = timeout_seconds == stripe_gateway.BUYER_TIMEOUT_SECONDS

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        path = url.removeprefix("https://api.stripe.com")

        def call() -> tuple[str, int, Mapping[str, str]]:
            is_slow = self._network.choices.chance(self._network.profile.slow_stripe)
            takes = timedelta(seconds=1 + self._network.choices.below(10)) if is_slow else timedelta()
            self._clock.instant += min(takes, self._timeout)
            reply = self._account.handle(method.upper(), path, headers, post_data or b"")
            if takes >= self._timeout:
                self._network.note(f"stripe answers after {takes.seconds} s")
                raise lost
            return json.dumps(reply.body), reply.status, {name.lower(): text for name, text in reply.headers.items()}

        lost = stripe.APIConnectionError("lost")  # type: ignore[no-untyped-call]
        try:
            answer: tuple[str, int, Mapping[str, str]] = self._network.pass_through(
                f"stripe {method} {path.partition('?')[0]}", call, refusal=lost, acts=method == "post"
            )
        except (BotoCoreError, stripe.APIConnectionError):
            if self._has_buyer:
                self._network.failed_for_buyer = self._clock.instant
            raise lost from None
        return answer

    def close(self) -> None:
        """Nothing to close."""


def _seeded_secrets(seed: int) -> Callable[[int], str]:
    source = random.Random(seed)  # noqa: S311  # for tests
    return lambda size: source.randbytes(size).hex()


def _seeded_ulid(seed: int) -> type[ULID]:
    source = random.Random(seed)  # noqa: S311  # for tests

    class SeededULID(ULID):
        @classmethod
        def from_timestamp(cls, value: float) -> "SeededULID":
            return cls.from_bytes(int(value).to_bytes(6, "big") + source.randbytes(10))

    return SeededULID
