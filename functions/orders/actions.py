"""The use cases of Orders. Each reads, applies the rules, and writes on condition that nothing has changed since.

On a conflict the first conditional write takes effect; the other caller reads again and decides again.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from functions.orders.order import (
    HeldByBuyer,
    Order,
    OrderNotFound,
    PriceChanged,
    RequestedChange,
    Status,
    Ticket,
    TicketHeld,
    TicketNotFound,
    TicketSold,
    TicketWithdrawn,
)
from functions.orders.store import HoldConflict, OrderStore, VersionConflict
from shared import clock
from shared.ids import OrderID, TicketID, UserID, is_id, new_id
from shared.listener import NotYet
from shared.replication_lag import is_recent, read_until_replicated
from shared.table import Contention, Write
from shared.telemetry import count

MAX_ATTEMPTS = 10  # conflicts before the caller is asked to retry
MAX_PLACE_ATTEMPTS = 3  # lower: a conflicting write to the ticket is most often another order

type Receipt = Callable[[Order], Write | None]


def place(
    store: OrderStore,
    *,
    buyer: UserID,
    ticket_id: str,
    shown_price: Decimal | None,
    window: timedelta,
    receipt: Receipt,
) -> tuple[Order, bool]:
    """Place an order, which holds the ticket for `window`.

    Returns the new order and True, or the buyer's existing live order for the ticket and False. Without contention it
    takes one eventually consistent read and one transaction; if the ticket is held, only the read. Raises
    TicketNotFound, OwnTicket, TicketHeld, TicketSold, TicketWithdrawn, PriceChanged, Contention.
    """
    ticket = _find(store, ticket_id)
    for _ in range(MAX_PLACE_ATTEMPTS):
        now = clock.now()
        try:
            ticket.check_can_be_held(buyer=buyer, shown_price=shown_price, now=now)
        except (TicketHeld, TicketSold, TicketWithdrawn, PriceChanged):
            count("OrdersRefused")  # the buyer could not order the ticket
            raise
        except HeldByBuyer as held:
            own = store.order(buyer, held.order_id)
            if own and own.is_live(now):
                return own, False
            ticket = _again(store, ticket)  # the read was stale
            continue
        order = Order.place(ticket, order_id=OrderID(new_id()), buyer=buyer, now=now, window=window)
        try:
            lapsed = _lapsed_order(store, ticket)
            store.place(order, ticket, lapsed, receipt(order))
        except HoldConflict as changed:
            ticket = changed.ticket or _again(store, ticket)
        else:
            count("OrdersPlaced")
            if lapsed:
                count("OrdersLapsed")
            return order, True
    count("OrdersRefused")
    raise TicketHeld("other buyers were faster; reload the ticket")


def find(store: OrderStore, *, user_id: UserID, order_id: str) -> Order:
    """Return the user's order. Raises OrderNotFound."""
    order = store.order(user_id, OrderID(order_id)) if is_id(order_id) else None
    if order is None:
        raise OrderNotFound
    return order


def find_for_ticket(store: OrderStore, *, user_id: UserID, ticket_id: str) -> Order | None:
    """Return the order by which the user holds or has bought the ticket, or None if there is none.

    Takes two consistent reads by key. Includes an order past its deadline until it is cancelled.
    """
    ticket = store.ticket(TicketID(ticket_id), consistent=True) if is_id(ticket_id) else None
    if ticket is None or ticket.hold is None or ticket.hold.user_id != user_id:
        return None
    order = store.order(user_id, ticket.hold.order_id)
    return order if order and order.status is not Status.CANCELLED else None  # ended between the reads


def cancel(store: OrderStore, *, user_id: UserID, order_id: str, receipt: Receipt) -> None:
    """Cancel the user's order; idempotent. Raises OrderNotFound, OrderPaid, Contention."""
    if not is_id(order_id):
        raise OrderNotFound
    change(store, user_id, OrderID(order_id), Order.cancel, receipt=receipt)


def expire(store: OrderStore, *, user_id: UserID, order_id: OrderID) -> bool:
    """Cancel an order whose deadline has passed.

    Returns True if the order was cancelled, False if its status was no longer `created`. Raises NotYet before the
    deadline, OrderNotFound, Contention.
    """

    def rule(order: Order) -> Order | None:
        after = order.expire()
        if after and clock.now() < order.expires_at:
            raise NotYet(f"order {order.id} expires at {order.expires_at}")
        return after

    return change(store, user_id, order_id, rule)


def change(
    store: OrderStore,
    user_id: UserID,
    order_id: OrderID,
    rule: Callable[[Order], Order | None],
    *,
    receipt: Receipt = lambda _order: None,
) -> bool:
    """Apply a rule to the order and write the result; read again and retry on a version conflict.

    `rule` returns the next state, or None to write nothing. Returns True if the order was written. Raises
    OrderNotFound, Contention and the errors of the rule.
    """
    for _ in range(MAX_ATTEMPTS):
        order = store.order(user_id, order_id)
        if order is None:
            raise OrderNotFound
        after = rule(order)
        if after is None:
            return False
        try:
            store.advance(order, after, receipt(after))
        except VersionConflict:
            continue
        if after.status is not order.status:  # otherwise the state was only republished
            _count(after)
        return True
    raise Contention("the order is changing; try again")


def decide(store: OrderStore, change: RequestedChange) -> None:
    """Decide about a seller's change and publish the decision; read again and retry on a conflict.

    Accepting the change cancels the order of a lapsed hold, as a takeover does. Raises Contention.
    """
    for _ in range(MAX_ATTEMPTS):
        before = store.ticket(change.ticket_id, consistent=True)
        after = (before or Ticket.first_heard_of(change)).decide(change, now=clock.now())
        if after is None:
            return
        try:
            lapsed = _lapsed_order(store, before) if before and after.hold is None else None
            store.decide(before, after, lapsed)
        except HoldConflict:
            continue
        if lapsed:
            count("OrdersLapsed")
        return
    raise Contention("the ticket is changing; try again")


def _count(order: Order) -> None:
    if order.status is Status.COMPLETED:
        count("OrdersCompleted")
    elif order.reason == "expired":
        count("OrdersLapsed")


def _find(store: OrderStore, ticket_id: str) -> Ticket:
    if not is_id(ticket_id):
        raise TicketNotFound
    ticket = read_until_replicated(lambda: store.ticket(TicketID(ticket_id)), ticket_id)
    if ticket is None:
        raise TicketNotFound(young=is_recent(ticket_id))
    return ticket


def _again(store: OrderStore, ticket: Ticket) -> Ticket:
    found = store.ticket(ticket.id, consistent=True)
    if found is None:
        raise TicketNotFound
    return found


def _lapsed_order(store: OrderStore, ticket: Ticket) -> Order | None:
    """Return the order of the lapsed hold, to be cancelled with it, or None if the ticket has no hold.

    Raises HoldConflict if the order is not `created` any more: the copy of the ticket is stale.
    """
    if ticket.hold is None:
        return None
    lapsed = store.order(ticket.hold.user_id, ticket.hold.order_id)
    if lapsed is None or lapsed.expire() is None:
        raise HoldConflict(None)
    return lapsed
