"""What can be done with tickets. Each action reads, asks the rules, and writes on condition that nothing has changed.

Where something has, it looks again, so that two changes at once both count, each with a version of its own.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from functions.tickets.store import TicketChanged, TicketStore
from functions.tickets.ticket import Change, ChangePending, Content, Ticket, TicketNotFound
from shared import clock
from shared.ids import TicketID, UserID, is_id, new_id
from shared.money import Price
from shared.table import Busy, Write

LOOKS = 10  # writes that may come in between before a caller is asked to try again
WAIT = timedelta(seconds=3)  # for Orders' decision, which mostly comes within half a second
PAUSE_SECONDS = 0.1

type Receipt = Callable[[Ticket], Write | None]


def put_on_sale(
    store: TicketStore, *, seller: UserID, title: str, price: Price, currency: str, receipt: Receipt
) -> Ticket:
    """A new ticket."""
    ticket = Ticket(
        id=TicketID(new_id()),
        seller_id=seller,
        title=title,
        price=price,
        currency=currency,
        version=1,
        created_at=clock.now(),
    )
    store.insert(ticket, receipt(ticket))
    return ticket


def find(store: TicketStore, ticket_id: str) -> Ticket:
    """The ticket, whosever it is. Raises TicketNotFound."""
    ticket = store.ticket(TicketID(ticket_id)) if is_id(ticket_id) else None
    if ticket is None:
        raise TicketNotFound
    return ticket


def find_own(store: TicketStore, *, seller: UserID, ticket_id: str) -> Ticket | None:
    """The seller's ticket; None where it is somebody else's, or nobody's."""
    ticket = store.ticket(TicketID(ticket_id)) if is_id(ticket_id) else None
    return ticket if ticket is not None and ticket.seller_id == seller else None


def edit(
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
    """Give the ticket another title and price, as `change_ticket` does. Raises EditOutdated too."""

    def wanted(ticket: Ticket) -> Content:
        return ticket.edited(title=title, price=price, currency=currency)

    return change_ticket(store, ticket_id, wanted, seller=seller, change_id=change_id, based_on=based_on)


def withdraw(store: TicketStore, ticket_id: str, *, seller: UserID, change_id: str) -> tuple[Ticket, bool]:
    """Take the ticket off sale for good, as `change_ticket` does; one that is withdrawn stays so."""
    return change_ticket(store, ticket_id, Ticket.withdrawn, seller=seller, change_id=change_id)


def change_ticket(
    store: TicketStore,
    ticket_id: str,
    wanted: Callable[[Ticket], Content],
    *,
    seller: UserID,
    change_id: str,
    based_on: int | None = None,
) -> tuple[Ticket, bool]:
    """Request a change and wait for Orders' decision: the ticket and True once it is in force.

    The ticket and False if there is no decision within WAIT. A request whose `change_id` was decided before is answered
    with that decision, and one for the very content that is pending waits with it. Raises TicketNotFound, NotYours,
    TicketHeld, TicketSold, EditOutdated, ChangePending, Busy.
    """
    until = clock.now() + WAIT
    while True:
        ticket = find(store, ticket_id)
        ticket.check_seller(seller)
        if decision := ticket.decision(change_id):
            decision.check_accepted()
            return ticket, True
        content = wanted(ticket)
        if ticket.is_withdrawn_as(content):
            return ticket, True
        now = clock.now()
        if ticket.pending and ticket.pending.is_for(change_id, content):
            change_id = ticket.pending.id
            after = ticket.request_again(now=now)
        else:
            after = ticket.request(change_id, content, based_on=based_on, now=now)
        if after:
            with suppress(TicketChanged):  # somebody else's write came first: look again
                store.request(ticket, after)
                ticket = after
        if now >= until:
            return _undecided(ticket, change_id), False
        clock.sleep(PAUSE_SECONDS)


def _undecided(ticket: Ticket, change_id: str) -> Ticket:
    """The ticket with our change pending. Raises ChangePending where it is another one, Busy where it is none."""
    if ticket.pending is None:
        raise Busy("the ticket is changing; try again")
    if ticket.pending.id != change_id:
        raise ChangePending
    return ticket


def change(store: TicketStore, ticket_id: str, rule: Callable[[Ticket], tuple[Ticket, Change] | None]) -> Ticket:
    """The ticket as the rule changes it, or as it is where the rule changes nothing.

    Looks again whenever another write came first. Raises TicketNotFound, Busy and what the rule raises.
    """
    for _ in range(LOOKS):
        before = find(store, ticket_id)
        match rule(before):
            case None:
                return before
            case after, told:
                try:
                    store.replace(before, after, told)
                except TicketChanged:
                    continue
                return after
    raise Busy("the ticket is changing; try again")
