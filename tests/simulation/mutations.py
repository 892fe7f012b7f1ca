"""The guards of Admit One, each of which can be removed to see that the simulation notices.

A guard whose removal is not noticed is either superfluous or lacks a test.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any
from unittest import mock

from functions.auth.store import UserStore
from functions.orders import actions as order_actions
from functions.orders import store as order_store
from functions.orders import sweep
from functions.orders.buyer import RecentHolds, RecentlyLapsed, TooManyHolds
from functions.orders.order import Hold, HoldableTicket, HoldState, Order, OrderNotFound
from functions.orders.order import OrderStatus as Status
from functions.payments import actions as payment_actions
from functions.payments import payment as payment_rules
from functions.payments import reconciler, stripe_gateway
from functions.payments.payment import (
    EventType,
    Intent,
    IntentStatus,
    OrderStatus,
    Payment,
    PaymentStatus,
    RequiredAction,
)
from functions.payments.stripe_gateway import StripeGateway
from functions.tickets.store import TicketStore
from functions.tickets.ticket import Ticket
from shared import aws, clock, idempotency, publish
from shared.table import Put, Table, Update, Write
from shared.unit_of_work import UnitOfWork
from tests.simulation.faults import Profile

RACES = Profile(interleaved=0.6, duplicate=0.1)
"""No faults, many interleavings: for guards against races."""
STALE_READS = Profile(interleaved=0.6, stale_read=0.3)
"""The same, and reads that return the item before its last write."""
LOSSES = Profile(dead_letters=4, declined=0.3)
"""Messages are lost for good: for guards that repair."""

BY_HAND = Profile(by_hand=0.2)
"""An operator acts at Stripe in place of users."""

EARLY_TIMERS = Profile(early_timers=30)
"""Timers fire before the deadline."""

REFUSALS = Profile(stripe_refuses=0.5, by_hand=0.3)
"""Stripe refuses captures, voids and refunds."""

LATE_REFUNDS = Profile(by_hand=0.3, late_refund=1.0)
"""The operator refunds cards whose refunds are pending or fail."""

FEW_LOSSES_AND_BY_HAND = Profile(by_hand=0.3, dead_letters=3)
"""The same, with a few lost messages."""

LOSSES_AND_BY_HAND = Profile(by_hand=0.3, dead_letters=8)
"""The same, with all messages about it lost."""

type RemoveGuard = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Mutation:
    """How a guard is removed and detected: the faults (None: each seed's own), and a seed that detected it once."""

    remove_guard: RemoveGuard
    faults: Profile | None = None
    seed: int = 0

    def seeds(self, budget: int) -> Iterator[int]:
        """The seeds to try: the seed that detected it once is only the first, since the code changes."""
        yield self.seed
        yield from (seed for seed in range(budget) if seed != self.seed)


def _without_condition(condition: str) -> RemoveGuard:
    """Remove this condition from every write that has it."""

    def strip(write: Write) -> Write:
        if write.condition is None or not write.condition.startswith(condition):
            return write
        change = write.change if isinstance(write, Update) else ""
        needed = {name: value for name, value in write.values.items() if f":{name}" in change}
        return replace(write, condition=None, values=needed)

    def control() -> AbstractContextManager[object]:
        real = Table.write
        return mock.patch.object(Table, "write", lambda self, *writes: real(self, *map(strip, writes)))

    return control


def _with(target: Any, name: str, value: Any) -> RemoveGuard:
    return lambda: mock.patch.object(target, name, value)


def _require(order: OrderStatus, intent: IntentStatus, instead: RequiredAction | None) -> RemoveGuard:
    """Return another required action for this pair of statuses."""
    real = Payment.required_action

    def required_action(self: Payment, seen: Any, now: Any) -> RequiredAction | None:
        return instead if (self.order.status, seen.status) == (order, intent) else real(self, seen, now)

    return _with(Payment, "required_action", required_action)


def _without_part(part: str, name: str) -> RemoveGuard:
    """Remove this part of a condition, and its value."""

    def strip(write: Write) -> Write:
        if write.condition is None or part not in write.condition:
            return write
        values = {key: value for key, value in write.values.items() if key != name}
        return replace(write, condition=write.condition.replace(part, ""), values=values)

    def control() -> AbstractContextManager[object]:
        real = Table.write
        return mock.patch.object(Table, "write", lambda self, *writes: real(self, *map(strip, writes)))

    return control


def _awaiting_payment_keeps_the_deadline() -> AbstractContextManager[object]:
    kept = {HoldState.UNTIL_PAID: "SET holdNumber = :hold_version"}
    return mock.patch.dict(order_store._HOLD_CHANGES, kept)


def _lapsed_order_kept_by(use_case: str) -> RemoveGuard:
    """Let this function of Orders' actions take a lapsed hold without expiring the order that has it."""
    real = getattr(order_actions, use_case)

    def run(*args: Any, **kwargs: Any) -> Any:
        with mock.patch.object(order_actions, "_expire_lapsed", return_value=None):
            return real(*args, **kwargs)

    return _with(order_actions, use_case, run)


def _responses_are_stored_after_the_effect() -> AbstractContextManager[object]:
    """Store the response in a later write: a crash in between repeats the effect."""
    commit = UnitOfWork.commit
    return mock.patch.object(UnitOfWork, "commit", lambda self, _result=None: commit(self))


def _entries_are_not_looked_at(events: Any, *, bus: str, source: str) -> Iterator[Any]:
    """Ignore the failed entries in PutEvents' response."""
    entries: Any = [
        {"EventBusName": bus, "Source": source, "DetailType": event["type"], "Detail": event["detail"]}
        for event in events
    ]
    aws.events().put_events(Entries=entries)
    yield from ()


@contextmanager
def _an_address_is_claimed_though_it_is_taken() -> Iterator[None]:
    real = UserStore.add

    def add(self: UserStore, account: Any, *, created_at: Any) -> None:
        with _without_condition("attribute_not_exists(pk)")():
            real(self, account, created_at=created_at)

    with mock.patch.object(UserStore, "add", add):
        yield


def _a_change_is_written_without_the_fence() -> AbstractContextManager[object]:
    fence = "holdNumber = :hold_version AND "

    def strip(write: Write) -> Write:
        if not isinstance(write, Put) or not write.condition or not write.condition.startswith("ticketVersion"):
            return write
        values = {name: value for name, value in write.values.items() if name != "hold_version"}
        return replace(write, condition=write.condition.replace(fence, ""), values=values)

    real = Table.write
    return mock.patch.object(Table, "write", lambda self, *writes: real(self, *map(strip, writes)))


@contextmanager
def _a_change_is_in_force_at_once() -> Iterator[None]:
    """Let Tickets apply a change at once, and Orders receive it afterwards."""

    def request(self: TicketStore, before: Ticket, after: Ticket) -> None:
        assert after.pending
        applied = replace(before, pending=after.pending).apply(after.pending.id, now=clock.now())
        assert applied
        self.replace(before, *applied)

    with mock.patch.object(TicketStore, "request", request):
        yield


def _gone_funds_are_not_asked_about() -> AbstractContextManager[object]:
    real = Payment.unanswered
    gone = PaymentStatus.VOIDED, PaymentStatus.REFUNDED

    def unanswered(self: Payment) -> EventType | None:
        return None if self.order.status is OrderStatus.CREATED and self.status in gone else real(self)

    return mock.patch.object(Payment, "unanswered", unanswered)


def _refunds_keep_the_hold_number() -> AbstractContextManager[object]:
    real = Order.payment_refunded

    def payment_refunded(self: Order, amount: Any, **more: Any) -> Order | None:
        after = real(self, amount, **more)
        return after and replace(after, ticket=self.ticket)

    return mock.patch.object(Order, "payment_refunded", payment_refunded)


def _a_refund_rests_though_orders_has_not_recorded_it() -> AbstractContextManager[object]:
    real = Payment.unanswered
    refunds = EventType.REFUNDED, EventType.PARTLY_REFUNDED
    settled = Payment.is_settled
    patches = ExitStack()

    def unanswered(self: Payment) -> EventType | None:
        event_type = real(self)
        return None if event_type in refunds else event_type

    def is_settled(self: Payment) -> bool:
        is_refunded = (self.order.status, self.status) == (OrderStatus.COMPLETED, PaymentStatus.REFUNDED)
        return is_refunded or settled(self)

    patches.enter_context(mock.patch.object(Payment, "unanswered", unanswered))
    patches.enter_context(mock.patch.object(Payment, "is_settled", is_settled))
    return patches


def _an_order_expires_without_a_look_at_the_clock(store: Any, *, user_id: Any, order_id: Any) -> bool:
    return order_actions.change_order(store, user_id, order_id, Order.expire)


def _pending_refunds_count() -> AbstractContextManager[object]:
    """Count a refund from the moment at which Stripe accepts it."""
    real = StripeGateway._refunds

    def refunds(self: StripeGateway, charge: Any) -> list[Any]:
        return [
            SimpleNamespace(amount=refund.amount, status="succeeded" if refund.status == "pending" else refund.status)
            for refund in real(self, charge)
        ]

    return mock.patch.object(StripeGateway, "_refunds", refunds)


def _refusals_are_errors() -> AbstractContextManager[object]:
    """Raise a refusal of Stripe as the error that it is."""
    real = stripe_gateway._raise
    return mock.patch.object(stripe_gateway, "_raise", lambda error, *, acts: real(error, acts=False))


def _answers_are_given_to_any_request() -> AbstractContextManager[object]:
    real = idempotency._stored_response

    def stored_response(earlier: dict[str, object], request: idempotency.Request) -> Any:
        return real(earlier | {"fingerprint": request.fingerprint}, request)

    return mock.patch.object(idempotency, "_stored_response", stored_response)


def _waits_for_the_authorisation(self: Order) -> Order:
    return self._move(Status.COMPLETED) if self.status is Status.AWAITING_PAYMENT else self._republish()


def _only_full_refunds_count(self: Intent) -> int:
    return self.captured if self.captured in (self.refunded, self.lost) else 0


def _limits_without(refusal: type[Exception]) -> RemoveGuard:
    """Accept an order that this rule of a buyer's holds refuses."""
    real = RecentHolds.add

    def add(self: RecentHolds, ticket_id: Any, **limits: Any) -> RecentHolds:
        try:
            return real(self, ticket_id, **limits)
        except refusal:
            end = limits["now"] + limits["window"]
            return replace(self, windows={**self.windows, ticket_id: end}, version=self.version + 1)

    return _with(RecentHolds, "add", add)


def _never_answers(self: Order) -> Order:
    raise OrderNotFound


MUTATIONS: dict[str, Mutation] = {
    "a hold is taken whatever it has become": Mutation(_without_condition("holdNumber = :hold_version"), RACES, seed=1),
    "an order is moved whatever it has become": Mutation(_without_condition("version = :version"), RACES, seed=8),
    "a ticket is changed whatever it has become": Mutation(_without_condition("version = :before"), RACES, seed=1),
    "a payment is changed whatever it has become": Mutation(_without_condition("#revision = :revision"), RACES, seed=1),
    "an older word of the seller overwrites a newer one": Mutation(
        _without_condition("attribute_not_exists(pk) OR ticketVersion"), seed=21
    ),
    "a key is used though its first call runs": Mutation(
        _without_condition("attribute_not_exists(pk) OR #ttl"), seed=3
    ),
    "a hold lapses before its deadline": Mutation(
        _with(Hold, "is_live", lambda self, _now: self.expires_at is None), seed=3
    ),
    "being paid keeps the hold's deadline": Mutation(_awaiting_payment_keeps_the_deadline, seed=4),
    "a takeover leaves the lapsed order as it is": Mutation(_lapsed_order_kept_by("_place_order"), seed=8),
    "a change is accepted though an order holds the ticket": Mutation(
        _with(HoldableTicket, "_claimed", lambda self, _now: "sold" if self.sold else None), seed=3
    ),
    "a change is accepted whatever the hold has become": Mutation(
        _a_change_is_written_without_the_fence, RACES, seed=16
    ),
    "an accepted change leaves the lapsed order as it is": Mutation(_lapsed_order_kept_by("decide_change"), seed=2),
    "a change is in force before Orders has decided": Mutation(_a_change_is_in_force_at_once),
    "money is captured before Orders has decided": Mutation(
        _require(OrderStatus.CREATED, IntentStatus.AUTHORIZED, RequiredAction.CAPTURE), seed=16
    ),
    "money that is held is captured at once": Mutation(
        _with(Payment, "is_due", lambda self: self.status is PaymentStatus.AUTHORIZED), seed=10
    ),
    "a late authorisation is not voided": Mutation(
        _require(OrderStatus.CANCELLED, IntentStatus.AUTHORIZED, None), seed=2
    ),
    "Tickets follows old news of a hold": Mutation(_with(Ticket, "_is_newer", lambda _self, _number: True), seed=3),
    "Payments follows old news of an order": Mutation(
        _with(Payment, "with_order", lambda self, order: replace(self, order=order)), seed=31
    ),
    "an order is placed at a price that the seller has changed": Mutation(
        _without_part(" AND price = :price", "price"), STALE_READS, seed=3
    ),
    "an order is placed for a ticket that was withdrawn": Mutation(
        _without_part(" AND withdrawn = :no", "no"), STALE_READS, seed=12
    ),
    "an order ends before its deadline if its timer is early": Mutation(
        _with(order_actions, "expire_order", _an_order_expires_without_a_look_at_the_clock), EARLY_TIMERS
    ),
    "the answer to one request is given to another": Mutation(_answers_are_given_to_any_request, seed=5),
    "a call that Stripe refuses fails": Mutation(_refusals_are_errors, REFUSALS, seed=21),
    "money whose capture is refused for good stays on hold": Mutation(
        _with(Payment, "action_after_refusal", lambda *_: None), REFUSALS, seed=2
    ),
    "a refund counts though it is pending": Mutation(_pending_refunds_count, LATE_REFUNDS, seed=28),
    "a failed refund is not recorded": Mutation(
        _with(stripe_gateway, "_refund_status", lambda _: None), LATE_REFUNDS, seed=6
    ),
    "a refused refund is tried for ever": Mutation(
        _with(Intent, "with_refused_refund", lambda self: self), REFUSALS, seed=104
    ),
    "answers are remembered after the effect": Mutation(_responses_are_stored_after_the_effect, seed=4),
    "entries that the bus refused are forgotten": Mutation(_with(publish, "_put", _entries_are_not_looked_at), seed=21),
    "the reconciler is out of order": Mutation(_with(reconciler, "handler", lambda *_: None), LOSSES, seed=3),
    "the sweep is out of order": Mutation(_with(sweep, "handler", lambda *_: None), LOSSES, seed=8),
    "a payment event that no longer fits is not answered": Mutation(
        _with(Order, "_republish", _never_answers), LOSSES, seed=3
    ),
    "an order is republished under an old version": Mutation(_with(Order, "_republish", lambda self: self), seed=2),
    "a buyer may hold any number of tickets": Mutation(_limits_without(TooManyHolds), seed=4),
    "a buyer takes a lapsed ticket again": Mutation(_limits_without(RecentlyLapsed), seed=13),
    "a card is tried though five were declined": Mutation(
        _with(payment_rules, "MAX_DECLINES", 99), Profile(declined=1.0), seed=16
    ),
    "an address is claimed though it is taken": Mutation(_an_address_is_claimed_though_it_is_taken, seed=1),
    "Orders is not asked what it does about funds that are gone": Mutation(
        _gone_funds_are_not_asked_about, LOSSES_AND_BY_HAND, seed=59
    ),
    "Orders does not follow refunds": Mutation(
        _with(Order, "payment_refunded", lambda *_, **__: None), BY_HAND, seed=3
    ),
    "a refund does not change the hold's number": Mutation(_refunds_keep_the_hold_number, BY_HAND, seed=3),
    "a refund rests though Orders has not recorded it": Mutation(
        _a_refund_rests_though_orders_has_not_recorded_it, FEW_LOSSES_AND_BY_HAND, seed=55
    ),
    "a refund of a part is not seen": Mutation(
        _with(Intent, "returned", property(_only_full_refunds_count)), BY_HAND, seed=104
    ),
    "a capture that Orders did not expect is only answered": Mutation(
        _with(Order, "payment_created", _waits_for_the_authorisation), LOSSES_AND_BY_HAND, seed=18
    ),
    "money of an unrecorded PaymentIntent is kept": Mutation(
        _with(payment_actions, "action_for_unrecorded", lambda *_: None), BY_HAND, seed=4
    ),
    "what was done by hand is not taken in": Mutation(
        _with(payment_actions, "reconcile_intent", lambda *_: False), BY_HAND, seed=3
    ),
}
"""Each guard, keyed by the consequence of its removal."""
