"""The use cases of Orders. Each reads, applies the rules, and commits on condition that nothing has changed since.

On a conflict the first commit takes effect; the other caller reads again and decides again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from functions.orders.buyer import RecentHolds, RecentlyLapsed, TooManyHolds
from functions.orders.order import (
    HeldByBuyer,
    Hold,
    HoldableTicket,
    Order,
    OrderNotFound,
    OrderStatus,
    PriceChanged,
    RequestedChange,
    TicketHeld,
    TicketNotFound,
    TicketSold,
    TicketWithdrawn,
)
from functions.orders.store import OrderStore
from shared import clock
from shared.ids import OrderID, TicketID, UserID, is_id, new_id
from shared.listener import TooEarly
from shared.money import FeeRule
from shared.replication_lag import is_recent
from shared.telemetry import count, logger
from shared.unit_of_work import VersionConflict, retry_on_conflict

MAX_PLACE_ATTEMPTS = 3  # few: a conflicting write to the ticket is most often another order


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The settings of a stage for new orders.

    `window` is the duration of a hold, `holds_per_buyer` the number of unpaid holds of one buyer, `fee` the fee on a
    sale.
    """

    window: timedelta
    holds_per_buyer: int
    fee: FeeRule


def place_order(
    store: OrderStore, *, buyer: UserID, ticket_id: str, shown_price: Decimal | None, terms: Terms
) -> tuple[Order, bool]:
    """Place an order, which holds the ticket for the window of `terms`.

    Returns the new order and True, or the buyer's existing live order for the ticket and False. Without contention it
    takes two eventually consistent reads and one transaction; if the ticket is held, only one read. Raises
    TicketNotFound, OwnTicket, TicketHeld, TicketSold, TicketWithdrawn, PriceChanged, TooManyHolds, RecentlyLapsed,
    Contention.
    """
    ticket = _find_ticket(store, ticket_id)
    holds: RecentHolds | None = None
    lost = 0

    @retry_on_conflict()
    def place() -> tuple[Order, bool]:
        nonlocal ticket, holds, lost
        try:
            found = _own_live_order(store, ticket, buyer=buyer, shown_price=shown_price)
            if found:
                return found, False
            holds = holds or store.recent_holds(buyer)
            return _place_order(store, ticket, holds, terms), True
        except VersionConflict as conflict:
            changed = store.recent_holds_in(conflict, buyer)
            holds = changed or holds
            current = store.ticket_in(conflict)
            if current or changed is None:
                lost += 1
                ticket = current or _reread(store, ticket)
            if lost == MAX_PLACE_ATTEMPTS:
                raise TicketHeld("other buyers were faster; reload the ticket") from None
            raise

    try:
        return place()
    except (TicketHeld, TicketSold, TicketWithdrawn, PriceChanged, TooManyHolds, RecentlyLapsed):
        count("OrdersRefused")
        raise


def _own_live_order(
    store: OrderStore, ticket: HoldableTicket, *, buyer: UserID, shown_price: Decimal | None
) -> Order | None:
    """Return the buyer's live order for the ticket, or None if the buyer can hold it.

    Raises VersionConflict if this copy of the ticket is stale, and the errors of `check_can_be_held`.
    """
    now = clock.now()
    try:
        ticket.check_can_be_held(buyer=buyer, shown_price=shown_price, now=now)
    except HeldByBuyer as held:
        own = store.order(buyer, held.order_id)
        if own and own.is_live(now):
            return own
        raise VersionConflict from None
    return None


def _place_order(store: OrderStore, ticket: HoldableTicket, holds: RecentHolds, terms: Terms) -> Order:
    """Place an order on this copy of the ticket, with the buyer's recent holds.

    Raises TooManyHolds, RecentlyLapsed, and VersionConflict if one of the two is stale.
    """
    now = clock.now()
    buyer = holds.user_id
    after = _add_hold(store, holds, ticket.id, terms)
    order = Order.place(
        ticket,
        order_id=OrderID(new_id()),
        buyer=buyer,
        fee=terms.fee,
        now=now,
        deadline=after.windows[ticket.id],
    )
    lapsed = _expire_lapsed(store, ticket.hold)
    store.hold_ticket(ticket, ticket.held_by(order))
    store.replace_recent_holds(holds, after, window=terms.window)
    store.insert_order(order)
    if lapsed:
        store.replace_order(*lapsed)
    store.commit(order)
    count("OrdersPlaced")
    if lapsed:
        count("OrdersLapsed")
    return order


def _add_hold(store: OrderStore, holds: RecentHolds, ticket_id: TicketID, terms: Terms) -> RecentHolds:
    """Return the buyer's recent holds with one more. Only if they are full, reads which of them have ended.

    No hold needs a write when it ends: until then the record is an upper bound.
    """
    now = clock.now()
    limit, window = terms.holds_per_buyer, terms.window
    try:
        return holds.add(ticket_id, limit=limit, window=window, now=now)
    except TooManyHolds:
        orders = store.orders_since(holds.user_id, now - 2 * window)
        return holds.without_ended(orders).add(ticket_id, limit=limit, window=window, now=now)


def get_order(store: OrderStore, *, user_id: UserID, order_id: str) -> Order:
    """Return the user's order. Raises OrderNotFound."""
    order = store.order(user_id, OrderID(order_id)) if is_id(order_id) else None
    if order is None:
        raise OrderNotFound
    return order


def find_order_for_ticket(store: OrderStore, *, user_id: UserID, ticket_id: str) -> Order | None:
    """Return the order by which the user holds or has bought the ticket, or None if there is none.

    Takes two consistent reads by key. Includes an order past its deadline until it is cancelled.
    """
    ticket = store.ticket(TicketID(ticket_id), consistent=True) if is_id(ticket_id) else None
    if ticket is None or ticket.hold is None or ticket.hold.user_id != user_id:
        return None
    order = store.order(user_id, ticket.hold.order_id)
    return order if order and order.status is not OrderStatus.CANCELLED else None  # ended between the reads


def cancel_order(store: OrderStore, *, user_id: UserID, order_id: str) -> None:
    """Cancel the user's order; idempotent. Raises OrderNotFound, OrderPaid, Contention."""
    if not is_id(order_id):
        raise OrderNotFound
    change_order(store, user_id, OrderID(order_id), Order.cancel)


def expire_order(store: OrderStore, *, user_id: UserID, order_id: OrderID) -> bool:
    """Cancel an order whose deadline has passed.

    Returns True if the order was cancelled, False if its status was no longer `created`. Raises TooEarly before the
    deadline, OrderNotFound, Contention.
    """

    def rule(order: Order) -> Order | None:
        after = order.expire()
        if after and clock.now() < order.expires_at:
            raise TooEarly(f"order {order.id} expires at {order.expires_at}")
        return after

    return change_order(store, user_id, order_id, rule)


def refund_order(store: OrderStore, *, seller: UserID, order_id: str, reason: str | None) -> Order:
    """Decide to refund an order of the seller's ticket, which Payments then does; idempotent.

    Returns the order. Raises OrderNotFound, OrderRefunded, Contention.
    """
    sale = store.sale(seller, OrderID(order_id)) if is_id(order_id) else None
    if sale is None:
        raise OrderNotFound
    current = sale

    def rule(order: Order) -> Order | None:
        nonlocal current
        after = order.refund_by_seller(reason, now=clock.now())
        current = after or order
        return after

    change_order(store, sale.user_id, sale.id, rule)
    return current


def request_refund(store: OrderStore, *, user_id: UserID, order_id: str, reason: str) -> None:
    """Record the buyer's request for a refund, which is published for the seller.

    Raises OrderNotFound, OrderNotCompleted, OrderRefunded, RefundRequested, Contention.
    """
    if not is_id(order_id):
        raise OrderNotFound
    change_order(store, user_id, OrderID(order_id), lambda order: order.request_refund(reason, now=clock.now()))


def look_at_due_order(store: OrderStore, *, user_id: UserID, order_id: OrderID) -> None:
    """Publish an order again that is still `refunding`, and report a request for a refund that nobody has answered.

    Does nothing if the order is not due any more. Raises OrderNotFound, Contention.
    """
    now = clock.now()
    found: Order | None = None

    def rule(order: Order) -> Order | None:
        nonlocal found
        found = order
        return order.look_again(now)

    if not change_order(store, user_id, order_id, rule) or found is None:
        return
    if found.is_unanswered(now):
        logger.error("a buyer's request for a refund is unanswered", order_id=order_id)
        count("RefundRequestsUnanswered")
    elif found.is_refund_overdue(now):
        logger.error("an order has been refunding for a day", order_id=order_id)
        count("RefundsOverdue")


@retry_on_conflict()
def change_order(store: OrderStore, user_id: UserID, order_id: OrderID, rule: Callable[[Order], Order | None]) -> bool:
    """Apply a rule to the order and commit the result.

    `rule` returns the next state, or None to write nothing. Returns True if the order was written. Raises
    OrderNotFound, Contention and the errors of the rule.
    """
    order = store.order(user_id, order_id)
    if order is None:
        raise OrderNotFound
    after = rule(order)
    if after is None:
        return False
    store.replace_order(order, after)
    if after.ticket.hold_version != order.ticket.hold_version:  # otherwise the state is only republished
        store.change_hold(after)
    if after.status is OrderStatus.COMPLETED and after.status is not order.status and after.ticket.seller_id:
        store.record_sale(after)
    store.commit(after)
    if after.status is not order.status:
        _count(after)
    return True


@retry_on_conflict()
def decide_change(store: OrderStore, change: RequestedChange) -> None:
    """Decide about a seller's change and publish the decision.

    Accepting the change cancels the order of a lapsed hold, as a takeover does. Raises Contention.
    """
    before = store.ticket(change.ticket_id, consistent=True)
    after = (before or HoldableTicket.from_change(change)).decide(change, now=clock.now())
    if after is None:
        return
    lapsed = _expire_lapsed(store, before.hold) if before and after.hold is None else None
    store.replace_ticket(before, after)
    if lapsed:
        store.replace_order(*lapsed)
    store.commit()
    if lapsed:
        count("OrdersLapsed")


def _count(order: Order) -> None:
    if order.status is OrderStatus.COMPLETED:
        count("OrdersCompleted")
    elif order.status is OrderStatus.REFUNDING:
        count("RefundsDecided")
    elif order.reason == "expired":
        count("OrdersLapsed")


def _find_ticket(store: OrderStore, ticket_id: str) -> HoldableTicket:
    if not is_id(ticket_id):
        raise TicketNotFound
    ticket = store.ticket(TicketID(ticket_id))
    if ticket is None:
        raise TicketNotFound(is_recent=is_recent(ticket_id))
    return ticket


def _reread(store: OrderStore, ticket: HoldableTicket) -> HoldableTicket:
    found = store.ticket(ticket.id, consistent=True)
    if found is None:
        raise TicketNotFound
    return found


def _expire_lapsed(store: OrderStore, hold: Hold | None) -> tuple[Order, Order] | None:
    """Return the order of a lapsed hold before and after its expiry, or None if there is no hold.

    Raises VersionConflict if the order is not `created` any more: the copy of the ticket is stale.
    """
    if hold is None:
        return None
    lapsed = store.order(hold.user_id, hold.order_id)
    expired = lapsed.expire() if lapsed else None
    if lapsed is None or expired is None:
        raise VersionConflict
    return lapsed, expired
