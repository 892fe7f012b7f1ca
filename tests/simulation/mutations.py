"""The guards of Admit One, each of which can be removed to see that the simulation notices.

A guard whose removal is not noticed is either superfluous or lacks a test.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import ROUND_DOWN
from types import SimpleNamespace
from typing import Any
from unittest import mock

from functions.auth import account_closing, eraser
from functions.auth.mail_store import MailStore
from functions.auth.session import Session
from functions.auth.store import UserStore
from functions.auth.user import User
from functions.orders import actions as order_actions
from functions.orders import expirer, sweep
from functions.orders import store as order_store
from functions.orders.buyer import RecentHolds, RecentlyLapsed, TooManyHolds
from functions.orders.order import Hold, HoldableTicket, HoldState, Order, OrderNotFound
from functions.orders.order import OrderStatus as Status
from functions.orders.store import OrderStore
from functions.payments import actions as payment_actions
from functions.payments import (
    earning_store,
    earnings,
    payout_finder,
    payouts,
    reconciler,
    settler,
    stripe_gateway,
)
from functions.payments import payment as payment_rules
from functions.payments.circuit_breaker import MAX_OUTAGES, CircuitBreaker
from functions.payments.earnings import Earning, Operation, Recipient, Step, earned
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
from functions.relay import relay
from functions.tickets.store import TicketStore
from functions.tickets.ticket import Ticket
from shared import aws, clock, http, idempotency, money, publish
from shared.ids import OrderID, UserID, new_id
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

CLOSING = Profile(closing=0.3, interleaved=0.2)
"""Users delete their accounts."""

REFUNDS = Profile(refunding=0.6)
"""Sellers refund their sales, buyers ask for it, and refunded tickets are sold again."""

LOST_REFUNDS = Profile(refunding=0.6, dead_letters=8)
"""The same, and messages about it are lost for good."""

ACCOUNTS = Profile(accounts=0.5)
"""Users do little but change their accounts."""

RACING_ACCOUNTS = Profile(accounts=0.5, interleaved=0.6, duplicate=0.1)

PAYOUTS = Profile(payouts=0.7)
"""Sellers are paid."""

LOST_ANSWERS = Profile(payouts=0.9, slow_stripe=0.3)
"""The same, and Stripe answers so late that its answers are lost."""

NO_FAILURES: dict[str, list[Any]] = {"batchItemFailures": []}

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


def _keep_deadline_during_payment() -> AbstractContextManager[object]:
    kept = {HoldState.UNTIL_PAID: "SET holdNumber = :hold_version"}
    return mock.patch.dict(order_store._HOLD_CHANGES, kept)


def _keep_lapsed_order_in(use_case: str) -> RemoveGuard:
    """Let this function of Orders' actions take a lapsed hold without expiring the order that has it."""
    real = getattr(order_actions, use_case)

    def run(*args: Any, **kwargs: Any) -> Any:
        with mock.patch.object(order_actions, "_expire_lapsed", return_value=None):
            return real(*args, **kwargs)

    return _with(order_actions, use_case, run)


def _store_response_later() -> AbstractContextManager[object]:
    """Store the response in a later write: a crash in between repeats the effect."""
    commit = UnitOfWork.commit
    return mock.patch.object(UnitOfWork, "commit", lambda self, _result=None: commit(self))


def _ignore_failed_entries(events: Any, *, bus: str, source: str) -> Iterator[Any]:
    """Ignore the failed entries in PutEvents' response."""
    entries: Any = [
        {"EventBusName": bus, "Source": source, "DetailType": event["type"], "Detail": event["detail"]}
        for event in events
    ]
    aws.events().put_events(Entries=entries)
    yield from ()


@contextmanager
def _claim_taken_address() -> Iterator[None]:
    real = UserStore.insert

    def insert(self: UserStore, user: Any, account: Any) -> None:
        with _without_condition("attribute_not_exists(pk)")():
            real(self, user, account)

    with mock.patch.object(UserStore, "insert", insert):
        yield


def _change_without_hold_version() -> AbstractContextManager[object]:
    fence = "holdNumber = :hold_version AND "

    def strip(write: Write) -> Write:
        if not isinstance(write, Put) or not write.condition or not write.condition.startswith("ticketVersion"):
            return write
        values = {name: value for name, value in write.values.items() if name != "hold_version"}
        return replace(write, condition=write.condition.replace(fence, ""), values=values)

    real = Table.write
    return mock.patch.object(Table, "write", lambda self, *writes: real(self, *map(strip, writes)))


@contextmanager
def _apply_change_at_once() -> Iterator[None]:
    """Let Tickets apply a change at once, and Orders receive it afterwards."""

    def request(self: TicketStore, before: Ticket, after: Ticket) -> None:
        assert after.pending
        applied = replace(before, pending=after.pending).apply(after.pending.id, now=clock.now())
        assert applied
        self.replace(before, *applied)

    with mock.patch.object(TicketStore, "request", request):
        yield


def _do_not_report_returned_funds() -> AbstractContextManager[object]:
    real = Payment.unanswered
    gone = PaymentStatus.VOIDED, PaymentStatus.REFUNDED

    def unanswered(self: Payment) -> EventType | None:
        return None if self.order.status is OrderStatus.CREATED and self.status in gone else real(self)

    return mock.patch.object(Payment, "unanswered", unanswered)


def _keep_hold_version_in_refunds() -> AbstractContextManager[object]:
    real = Order.payment_refunded

    def payment_refunded(self: Order, amount: Any, **more: Any) -> Order | None:
        after = real(self, amount, **more)
        return after and replace(after, ticket=self.ticket)

    return mock.patch.object(Order, "payment_refunded", payment_refunded)


def _settle_refunds_early() -> AbstractContextManager[object]:
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


def _expire_without_clock_check(store: Any, *, user_id: Any, order_id: Any) -> bool:
    return order_actions.change_order(store, user_id, order_id, Order.expire)


def _count_pending_refunds() -> AbstractContextManager[object]:
    """Count a refund from the moment at which Stripe accepts it."""
    real = StripeGateway._refunds

    def refunds(self: StripeGateway, charge: Any) -> list[Any]:
        return [
            SimpleNamespace(amount=refund.amount, status="succeeded" if refund.status == "pending" else refund.status)
            for refund in real(self, charge)
        ]

    return mock.patch.object(StripeGateway, "_refunds", refunds)


def _raise_refusals() -> AbstractContextManager[object]:
    """Raise a refusal of Stripe as the error that it is."""
    real = stripe_gateway._raise
    return mock.patch.object(stripe_gateway, "_raise", lambda error, *, acts: real(error, acts=False))


def _ignore_fingerprint() -> AbstractContextManager[object]:
    real = idempotency._stored_response

    def stored_response(earlier: dict[str, object], request: idempotency.Request) -> Any:
        return real(earlier | {"fingerprint": request.fingerprint}, request)

    return mock.patch.object(idempotency, "_stored_response", stored_response)


def _only_republish(self: Order) -> Order:
    return self._move(Status.COMPLETED) if self.status is Status.AWAITING_PAYMENT else self._republish()


def _count_full_refunds_only(self: Intent) -> int:
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


def _confirm_all_records(event: Any, context: object) -> dict[str, list[Any]]:
    """Let the relay confirm the records of events that it could not publish."""
    _PUBLISH_RECORDS(event, context)
    return {"batchItemFailures": []}


_PUBLISH_RECORDS = relay.handler


def _never_respond(self: Order) -> Order:
    raise OrderNotFound


def _keep_hold_of_refunded_order() -> AbstractContextManager[object]:
    kept = {HoldState.RETURNED: "SET holdNumber = :hold_version, withdrawn = :yes REMOVE holdExpiresAt, sold"}
    return mock.patch.dict(order_store._HOLD_CHANGES, kept)


def _find_sale_of_anybody(self: OrderStore, seller_id: UserID, order_id: OrderID) -> Order | None:
    sale = self.table.get(order_store._sale_key(order_id), consistent=True)
    return self.order(UserID(sale["userID"]), order_id) if sale else None


def _keep_sessions_of_a_reset() -> AbstractContextManager[object]:
    real = User.reset_password

    def reset_password(self: User, session: Session) -> User:
        return replace(real(self, session), sessions=(*self.sessions, session))

    return mock.patch.object(User, "reset_password", reset_password)


def _keep_links() -> AbstractContextManager[object]:
    real = User._changed

    def changed(self: User, **fields: Any) -> User:
        return real(self, **fields | ({"links": self.links} if "links" in fields and not fields["links"] else {}))

    return mock.patch.object(User, "_changed", changed)


def _trade_unverified() -> AbstractContextManager[object]:
    real = http._user

    def user(event: dict[str, Any]) -> Any:
        found = real(event)
        return found and replace(found, email_verified=True)

    return mock.patch.object(http, "_user", user)


def _repeat_unread() -> AbstractContextManager[object]:
    """Repeat an open operation under a new key, without looking for what was done."""
    patches = ExitStack()
    patches.enter_context(
        mock.patch.object(Operation, "key", lambda self, order_id: f"{order_id} {self.number} {new_id()}")
    )
    patches.enter_context(mock.patch.object(Earning, "seen", lambda self, _stripe: self))
    return patches


def _never_reverse() -> AbstractContextManager[object]:
    real = earnings.next_step

    def next_step(earning: Earning, *args: Any) -> Step:
        step = real(earning, *args)
        return Step(earning.ended()) if step.after.is_reversing() else step

    return mock.patch.object(payouts, "next_step", next_step)


def _send_to_anybody() -> AbstractContextManager[object]:
    """Send to the account that Stripe lists first."""

    def recipient(_store: Any, stripe: Any, _seller_id: Any) -> Recipient | None:
        found = stripe._client.v1.accounts.list({"limit": 1}).data
        ready = [each.id for each in found if each.capabilities.transfers == "active"]
        return Recipient(account_id=ready[0], can_receive=True) if ready else None

    return mock.patch.object(payouts, "_read_recipient", recipient)


MUTATIONS: dict[str, Mutation] = {
    "no condition on the hold version": Mutation(_without_condition("holdNumber = :hold_version"), RACES, seed=1),
    "no condition on an order's version": Mutation(_without_condition("version = :version"), RACES, seed=1),
    "no condition on a ticket's version": Mutation(_without_condition("version = :before"), RACES, seed=0),
    "no condition on a payment's revision": Mutation(_without_condition("#revision = :revision"), RACES, seed=0),
    "no condition on the version of a replicated ticket": Mutation(
        _without_condition("attribute_not_exists(pk) OR ticketVersion"), seed=1
    ),
    "no condition on a running Idempotency-Key": Mutation(
        _without_condition("attribute_not_exists(pk) OR #ttl"), seed=12
    ),
    "holds lapse at once": Mutation(_with(Hold, "is_live", lambda self, _now: self.expires_at is None), seed=0),
    "holds lapse during payment": Mutation(_keep_deadline_during_payment, seed=2),
    "a takeover does not expire the lapsed order": Mutation(_keep_lapsed_order_in("_place_order"), seed=3),
    "a change is accepted while the ticket is held": Mutation(
        _with(HoldableTicket, "_claimed", lambda self, _now: "sold" if self.sold else None), seed=1
    ),
    "no condition on the hold version in a seller's change": Mutation(_change_without_hold_version, RACES, seed=3),
    "an accepted change does not expire the lapsed order": Mutation(_keep_lapsed_order_in("decide_change"), seed=8),
    "Tickets applies a change before Orders accepts it": Mutation(_apply_change_at_once),
    "capture before Orders has decided": Mutation(
        _require(OrderStatus.CREATED, IntentStatus.AUTHORIZED, RequiredAction.CAPTURE), seed=15
    ),
    "every authorised payment is captured": Mutation(
        _with(Payment, "is_due", lambda self: self.status is PaymentStatus.AUTHORIZED), seed=13
    ),
    "a late authorisation is not voided": Mutation(
        _require(OrderStatus.CANCELLED, IntentStatus.AUTHORIZED, None), seed=15
    ),
    "Tickets applies outdated events of a hold": Mutation(
        _with(Ticket, "_is_newer", lambda _self, _number: True), seed=3
    ),
    "Payments applies outdated events of an order": Mutation(
        _with(Payment, "with_order", lambda self, order: replace(self, order=order)), seed=14
    ),
    "no condition on the ticket's price": Mutation(_without_part(" AND price = :price", "price"), STALE_READS, seed=12),
    "no condition on the ticket's withdrawal": Mutation(
        _without_part(" AND withdrawn = :no", "no"), STALE_READS, seed=8
    ),
    "an early timer expires the order": Mutation(
        _with(order_actions, "expire_order", _expire_without_clock_check), EARLY_TIMERS, seed=2
    ),
    "no check of an Idempotency-Key's fingerprint": Mutation(_ignore_fingerprint, seed=1),
    "a refusal of Stripe is an error": Mutation(_raise_refusals, REFUSALS, seed=28),
    "no void after a final refusal of the capture": Mutation(
        _with(Payment, "action_after_refusal", lambda *_: None), REFUSALS, seed=28
    ),
    "pending refunds count": Mutation(_count_pending_refunds, LATE_REFUNDS, seed=16),
    "a failed refund is not recorded": Mutation(
        _with(stripe_gateway, "_refund_status", lambda _: None), LATE_REFUNDS, seed=1
    ),
    "a refused refund is repeated without end": Mutation(
        _with(Intent, "with_refused_refund", lambda self: self), REFUSALS, seed=206
    ),
    "the circuit breaker never closes": Mutation(
        _with(CircuitBreaker, "is_open", lambda self, _now: self.outages >= MAX_OUTAGES), Profile(outage=0.1)
    ),
    "the response is stored after the effect": Mutation(_store_response_later, seed=31),
    "failed entries of PutEvents are ignored": Mutation(_with(publish, "_put", _ignore_failed_entries), seed=31),
    "the relay confirms records that are not published": Mutation(
        _with(relay, "handler", _confirm_all_records), Profile(outage=0.1), seed=22
    ),
    "no reconciler": Mutation(_with(reconciler, "handler", lambda *_: None), LOSSES, seed=72),
    "the reconciler queues no due payments": Mutation(
        _with(reconciler._Run, "queue_due", lambda *_: None), LOSSES, seed=72
    ),
    "payments are due an hour too late": Mutation(
        _with(reconciler, "NORMAL_COURSE", timedelta(hours=1)), LOSSES, seed=72
    ),
    "the settler leaves all payments alone": Mutation(_with(Payment, "is_stalled", lambda *_: False), LOSSES, seed=72),
    "no settler": Mutation(_with(settler, "handler", lambda *_: NO_FAILURES), LOSSES, seed=72),
    "no expirer": Mutation(_with(expirer, "handler", lambda *_: NO_FAILURES), LOSSES, seed=78),
    "no sweep": Mutation(_with(sweep, "handler", lambda *_: None), LOSSES, seed=2),
    "no response to an outdated payment event": Mutation(_with(Order, "_republish", _never_respond), LOSSES, seed=90),
    "an order is republished under its old version": Mutation(_with(Order, "_republish", lambda self: self), seed=13),
    "no limit of a buyer's holds": Mutation(_limits_without(TooManyHolds), seed=16),
    "no wait after a lapse": Mutation(_limits_without(RecentlyLapsed), seed=3),
    "no limit of declines": Mutation(_with(payment_rules, "MAX_DECLINES", 99), Profile(declined=1.0), seed=21),
    "no condition on a new e-mail address": Mutation(_claim_taken_address, seed=1),
    "no condition on a user's revision": Mutation(
        _without_condition("#revision = :before OR (attribute_not_exists(#revision)"), RACING_ACCOUNTS, seed=3
    ),
    "the authorizer does not read the session": Mutation(
        _with(User, "session", lambda _self, ident, **_: Session(id=ident, client="", created_at=clock.now())), ACCOUNTS
    ),
    "a new password ends no other session": Mutation(_keep_sessions_of_a_reset, ACCOUNTS, seed=17),
    "a used link goes on": Mutation(_keep_links, ACCOUNTS, seed=1),
    "users who have not verified their address trade": Mutation(_trade_unverified, seed=1),
    "a mail is claimed although it was sent": Mutation(
        _with(MailStore, "claim", lambda *_, **__: True), Profile(duplicate=0.3), seed=2
    ),
    "an account is erased without looking again": Mutation(
        _with(account_closing, "_is_closed", lambda *_: True), CLOSING
    ),
    "an account is erased while tokens are accepted": Mutation(_with(eraser, "QUIET", timedelta()), CLOSING, seed=50),
    "a deleted account can be used": Mutation(_with(UserStore, "user", UserStore._find), CLOSING),
    "a deleted seller's tickets stay on sale": Mutation(_with(Ticket, "is_over", True), CLOSING),
    "no eraser": Mutation(_with(eraser, "handler", lambda *_: None), CLOSING, seed=1),
    "returned funds are not reported to Orders": Mutation(_do_not_report_returned_funds, LOSSES_AND_BY_HAND, seed=18),
    "Orders ignores refunds": Mutation(_with(Order, "payment_refunded", lambda *_, **__: None), BY_HAND, seed=19),
    "a refund keeps the hold version": Mutation(_keep_hold_version_in_refunds, BY_HAND, seed=19),
    "a refund is settled before Orders records it": Mutation(_settle_refunds_early, FEW_LOSSES_AND_BY_HAND, seed=190),
    "partial refunds are ignored": Mutation(
        _with(Intent, "returned", property(_count_full_refunds_only)), BY_HAND, seed=19
    ),
    "an unexpected capture does not complete the order": Mutation(
        _with(Order, "payment_created", _only_republish), LOSSES_AND_BY_HAND, seed=240
    ),
    "a refund without Orders' word": Mutation(
        _require(OrderStatus.COMPLETED, IntentStatus.SUCCEEDED, RequiredAction.REFUND), REFUNDS, seed=6
    ),
    "a decided refund is not made": Mutation(
        _require(OrderStatus.REFUNDING, IntentStatus.SUCCEEDED, None), REFUNDS, seed=8
    ),
    "an order that stays refunding is not published again": Mutation(
        _with(OrderStore, "due", lambda *_: iter(())), LOST_REFUNDS, seed=147
    ),
    "a refunded order keeps its hold": Mutation(_keep_hold_of_refunded_order, REFUNDS, seed=8),
    "users refund the sales of others": Mutation(_with(OrderStore, "sale", _find_sale_of_anybody), REFUNDS, seed=7),
    "unrecorded PaymentIntents are ignored": Mutation(
        _with(payment_actions, "action_for_unrecorded", lambda *_: None), BY_HAND, seed=1
    ),
    "changes by hand at Stripe are ignored": Mutation(
        _with(payment_actions, "reconcile_intent", lambda *_: False), BY_HAND, seed=1
    ),
    "a payout is repeated without a look, under a new key": Mutation(_repeat_unread, LOST_ANSWERS, seed=49),
    "earnings are released at once": Mutation(
        _with(payment_actions, "earned", lambda *args, hold, **more: earned(*args, hold=0 * hold, **more)),
        PAYOUTS,
        seed=9,
    ),
    "refunded earnings are sent": Mutation(
        _with(Earning, "due", property(lambda self: self.sale.net)), PAYOUTS, seed=2
    ),
    "nothing is reversed": Mutation(_never_reverse, PAYOUTS, seed=2),
    "the fee is rounded down": Mutation(_with(money, "ROUND_HALF_EVEN", ROUND_DOWN), PAYOUTS),
    "blocked earnings are not looked at again": Mutation(
        _with(earnings, "BLOCKED_LOOK", timedelta(days=1)), PAYOUTS, seed=6
    ),
    "money is sent to any account": Mutation(_send_to_anybody, PAYOUTS, seed=1),
    "no payout finder": Mutation(_with(payout_finder, "handler", lambda *_: None), PAYOUTS, seed=3),
    "earnings that wait are forgotten": Mutation(_with(payouts, "look_at_seller", lambda *_: None), PAYOUTS, seed=15),
    "the totals do not follow the earnings": Mutation(
        _with(earning_store, "_total", lambda currency, _status: f"held_{currency}"), PAYOUTS
    ),
}
"""Each mutation by its name: the guard that is missing, or what happens instead."""
