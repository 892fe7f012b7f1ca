"""What can be done with orders. Each action reads, asks the rules, and writes on condition that nothing has changed.

Where something has, it looks again: the conditional write that came first has won, and there is no third outcome.
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
from functions.orders.store import HoldChanged, OrderChanged, OrderStore
from shared import clock
from shared.ids import OrderID, TicketID, UserID, is_id, new_id
from shared.listener import NotYet
from shared.patience import is_young, wait_for
from shared.table import Busy, Write
from shared.telemetry import count

LOOKS = 10  # writes that may come in between before a caller is asked to try again
LOOKS_TO_PLACE = 3  # somebody else's write to a wanted ticket is most often their order

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
    """Hold a ticket: the new order and True, or the buyer's own live order for it and False.

    One eventually consistent read and one transaction where nobody races; a loser ends at the read. Raises
    TicketNotFound, OwnTicket, TicketHeld, TicketSold, TicketWithdrawn, PriceChanged.
    """
    ticket = _find(store, ticket_id)
    for _ in range(LOOKS_TO_PLACE):
        now = clock.now()
        try:
            ticket.check_can_be_held(buyer=buyer, shown_price=shown_price, now=now)
        except (TicketHeld, TicketSold, TicketWithdrawn, PriceChanged):
            count("OrdersRefused")  # somebody wanted to buy, and could not
            raise
        except HeldByBuyer as held:
            own = store.order(buyer, held.order_id)
            if own and own.is_live(now):
                return own, False
            ticket = _again(store, ticket)  # the copy was old
            continue
        order = Order.place(ticket, order_id=OrderID(new_id()), buyer=buyer, now=now, window=window)
        try:
            lapsed = _lapsed_order(store, ticket)
            store.place(order, ticket, lapsed, receipt(order))
        except HoldChanged as changed:
            ticket = changed.ticket or _again(store, ticket)
        else:
            count("OrdersPlaced")
            if lapsed:
                count("OrdersLapsed")
            return order, True
    count("OrdersRefused")
    raise TicketHeld("others were faster; look again")


def find(store: OrderStore, *, user_id: UserID, order_id: str) -> Order:
    """The user's own order. Raises OrderNotFound."""
    order = store.order(user_id, OrderID(order_id)) if is_id(order_id) else None
    if order is None:
        raise OrderNotFound
    return order


def find_for_ticket(store: OrderStore, *, user_id: UserID, ticket_id: str) -> Order | None:
    """The user's order that holds or has bought the ticket; None where another user's does, or nobody's.

    Two consistent reads by key. An order past its deadline is included until something has ended it.
    """
    ticket = store.ticket(TicketID(ticket_id), consistent=True) if is_id(ticket_id) else None
    if ticket is None or ticket.hold is None or ticket.hold.user_id != user_id:
        return None
    order = store.order(user_id, ticket.hold.order_id)
    return order if order and order.status is not Status.CANCELLED else None  # it may have ended between the reads


def cancel(store: OrderStore, *, user_id: UserID, order_id: str, receipt: Receipt) -> None:
    """Cancel the user's order; one that is cancelled already stays so. Raises OrderNotFound, OrderPaid."""
    if not is_id(order_id):
        raise OrderNotFound
    change(store, user_id, OrderID(order_id), Order.cancel, receipt=receipt)


def expire(store: OrderStore, *, user_id: UserID, order_id: OrderID) -> bool:
    """End an order whose deadline has passed; whether this call did. Raises NotYet before the deadline."""

    def rule(order: Order) -> Order | None:
        after = order.expire()
        if after and clock.now() < order.expires_at:
            raise NotYet(f"order {order.id} has until {order.expires_at}")
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
    """Move the order as the rule says, looking again whenever another write came first; whether anything was written.

    Raises OrderNotFound, Busy and what the rule raises.
    """
    for _ in range(LOOKS):
        order = store.order(user_id, order_id)
        if order is None:
            raise OrderNotFound
        after = rule(order)
        if after is None:
            return False
        try:
            store.advance(order, after, receipt(after))
        except OrderChanged:
            continue
        if after.status is not order.status:  # else it was only told again
            _count(after)
        return True
    raise Busy("the order is changing; try again")


def decide(store: OrderStore, change: RequestedChange) -> None:
    """Decide about a seller's change and publish the decision, looking again whenever another write came first.

    Where a hold has lapsed, accepting the change ends its order, as a takeover does. Raises Busy.
    """
    for _ in range(LOOKS):
        before = store.ticket(change.ticket_id, consistent=True)
        after = (before or Ticket.first_heard_of(change)).decide(change, now=clock.now())
        if after is None:
            return
        try:
            lapsed = _lapsed_order(store, before) if before and after.hold is None else None
            store.decide(before, after, lapsed)
        except HoldChanged:
            continue
        if lapsed:
            count("OrdersLapsed")
        return
    raise Busy("the ticket is changing; try again")


def _count(order: Order) -> None:
    if order.status is Status.COMPLETED:
        count("OrdersCompleted")
    elif order.reason == "expired":
        count("OrdersLapsed")


def _find(store: OrderStore, ticket_id: str) -> Ticket:
    if not is_id(ticket_id):
        raise TicketNotFound
    ticket = wait_for(lambda: store.ticket(TicketID(ticket_id)), ticket_id)
    if ticket is None:
        raise TicketNotFound(young=is_young(ticket_id))
    return ticket


def _again(store: OrderStore, ticket: Ticket) -> Ticket:
    found = store.ticket(ticket.id, consistent=True)
    if found is None:
        raise TicketNotFound
    return found


def _lapsed_order(store: OrderStore, ticket: Ticket) -> Order | None:
    """The order to be cancelled with the hold that has lapsed, if there is one.

    Raises HoldChanged where the copy was old and the order has ended already.
    """
    if ticket.hold is None:
        return None
    lapsed = store.order(ticket.hold.user_id, ticket.hold.order_id)
    if lapsed is None or lapsed.expire() is None:
        raise HoldChanged(None)
    return lapsed
