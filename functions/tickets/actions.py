"""The use cases of Tickets. Each reads, applies the rules, and writes on condition that nothing has changed since.

On a version conflict it reads again and retries, so that concurrent changes all take effect, each with its own version.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from functions.tickets.store import TicketStore
from functions.tickets.ticket import Change, ChangePending, Content, Ticket, TicketNotFound, TicketStatus
from shared import clock
from shared.ids import TicketID, UserID, is_id, new_id
from shared.money import Price
from shared.table import Contention
from shared.unit_of_work import VersionConflict, retry_on_conflict

WAIT = timedelta(seconds=3)  # for the decision of Orders, which usually arrives within half a second
PAUSE_SECONDS = 0.1


def create_ticket(store: TicketStore, *, seller: UserID, title: str, price: Price, currency: str) -> Ticket:
    """Create a ticket and put it on sale."""
    ticket = Ticket(
        id=TicketID(new_id()),
        seller_id=seller,
        title=title,
        price=price,
        currency=currency,
        version=1,
        created_at=clock.now(),
    )
    store.insert(ticket)
    store.commit(ticket)
    return ticket


def get_ticket(store: TicketStore, ticket_id: str) -> Ticket:
    """Return a ticket of any seller. Raises TicketNotFound."""
    ticket = store.ticket(TicketID(ticket_id)) if is_id(ticket_id) else None
    if ticket is None:
        raise TicketNotFound
    return ticket


def find_own_ticket(store: TicketStore, *, seller: UserID, ticket_id: str) -> Ticket | None:
    """Return the seller's ticket, or None if it does not exist or has another seller."""
    ticket = store.ticket(TicketID(ticket_id)) if is_id(ticket_id) else None
    return ticket if ticket is not None and ticket.seller_id == seller else None


def edit_ticket(
    store: TicketStore,
    ticket_id: str,
    *,
    seller: UserID,
    change_id: str,
    title: str,
    price: Price,
    currency: str,
    based_on: int | None,
) -> tuple[Ticket, bool]:
    """Change the title and price of a ticket. Returns and raises as `request_change`."""

    def new_content(ticket: Ticket) -> Content:
        return ticket.edited(title=title, price=price, currency=currency)

    return request_change(store, ticket_id, new_content, seller=seller, change_id=change_id, based_on=based_on)


def withdraw_ticket(store: TicketStore, ticket_id: str, *, seller: UserID, change_id: str) -> tuple[Ticket, bool]:
    """Withdraw a ticket permanently; idempotent. Returns and raises as `request_change`."""
    return request_change(store, ticket_id, Ticket.withdrawn, seller=seller, change_id=change_id)


def relist_ticket(store: TicketStore, ticket_id: str, *, seller: UserID, change_id: str) -> tuple[Ticket, bool]:
    """Put a ticket whose sale was refunded on sale again. Returns and raises as `request_change`, and NotRefunded."""
    return request_change(store, ticket_id, Ticket.relisted, seller=seller, change_id=change_id)


def request_change(
    store: TicketStore,
    ticket_id: str,
    new_content: Callable[[Ticket], Content],
    *,
    seller: UserID,
    change_id: str,
    based_on: int | None = None,
) -> tuple[Ticket, bool]:
    """Request a change and wait for the decision of Orders.

    `new_content` returns the requested content for the current ticket. Returns the ticket and True once the change is
    in force, or the ticket and False if there is no decision within WAIT. If `change_id` was decided before, returns or
    raises that decision. A request for the content that is already pending waits for the pending change. Raises
    TicketNotFound, NotYours, TicketHeld, TicketSold, EditOutdated, ChangePending, Contention.
    """
    until = clock.now() + WAIT
    while True:
        ticket = get_ticket(store, ticket_id)
        ticket.check_seller(seller)
        if decision := ticket.decision(change_id):
            decision.check_accepted()
            return ticket, True
        content = new_content(ticket)
        if ticket.is_withdrawn_as(content):
            return ticket, True
        now = clock.now()
        if ticket.pending and ticket.pending.is_for(change_id, content):
            change_id = ticket.pending.id
            after = ticket.request_again(now=now)
        else:
            after = ticket.request(change_id, content, based_on=based_on, now=now)
        if after:
            with suppress(VersionConflict):  # read again
                store.request(ticket, after)
                store.commit()
                ticket = after
        if now >= until:
            return _undecided(ticket, change_id), False
        clock.sleep(PAUSE_SECONDS)


@retry_on_conflict()
def close_ticket(store: TicketStore, ticket_id: TicketID) -> None:
    """Request the withdrawal of a ticket whose seller has deleted their account, without waiting for the decision.

    Does nothing while an order holds the ticket. A change that is pending is decided first; its request may be lost, so
    it is repeated. Each request is a new change: Orders repeats its decision about an earlier one.
    """
    ticket, now = get_ticket(store, ticket_id), clock.now()
    if ticket.is_over:
        return
    if ticket.pending:
        after = ticket.request_again(now=now)
    elif ticket.status(now) is TicketStatus.AVAILABLE:
        after = ticket.request(new_id(), ticket.withdrawn(), based_on=None, now=now)
    else:
        after = None
    if after:
        store.request(ticket, after)
        store.commit()


def _undecided(ticket: Ticket, change_id: str) -> Ticket:
    """Return the ticket with this change pending. Raises ChangePending if it is another one, Contention if none is."""
    if ticket.pending is None:
        raise Contention("the ticket is changing; try again")
    if ticket.pending.id != change_id:
        raise ChangePending
    return ticket


@retry_on_conflict()
def change_ticket(
    store: TicketStore, ticket_id: str, rule: Callable[[Ticket], tuple[Ticket, Change | None] | None]
) -> Ticket:
    """Apply a rule to the ticket and commit the result.

    `rule` returns the next state and the published `Change` (None to publish nothing), or None to write nothing.
    Returns the ticket as it is afterwards. Raises TicketNotFound, Contention and the errors of the rule.
    """
    before = get_ticket(store, ticket_id)
    match rule(before):
        case None:
            return before
        case after, change:
            store.replace(before, after, change)
            store.commit()
            return after
