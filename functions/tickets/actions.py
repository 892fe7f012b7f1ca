"""What can be done with tickets. Each action reads, asks the rules, and writes on condition that nothing has changed.

Where something has, it looks again, so that two changes at once both count, each with a version of its own.
"""

from collections.abc import Callable

from functions.tickets.store import TicketChanged, TicketStore
from functions.tickets.ticket import Change, Ticket, TicketNotFound
from shared import clock
from shared.ids import TicketID, UserID, is_id, new_id
from shared.money import Price
from shared.table import Busy, Write

LOOKS = 10  # writes that may come in between before a caller is asked to try again

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


def edit(
    store: TicketStore, ticket_id: str, *, editor: UserID, title: str, price: Price, currency: str, receipt: Receipt
) -> Ticket:
    """The ticket with its new title and price. Raises TicketNotFound, NotYours, TicketHeld, TicketSold."""

    def rule(ticket: Ticket) -> tuple[Ticket, Change]:
        return ticket.edit(editor=editor, title=title, price=price, currency=currency, now=clock.now())

    return change(store, ticket_id, rule, receipt=receipt)


def withdraw(store: TicketStore, ticket_id: str, *, seller: UserID, receipt: Receipt) -> None:
    """Take the ticket off sale. Raises TicketNotFound, NotYours, TicketHeld, TicketSold."""
    change(store, ticket_id, lambda ticket: ticket.withdraw(seller=seller, now=clock.now()), receipt=receipt)


def change(
    store: TicketStore,
    ticket_id: str,
    rule: Callable[[Ticket], tuple[Ticket, Change] | None],
    *,
    receipt: Receipt = lambda _ticket: None,
) -> Ticket:
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
                    store.replace(before, after, told, receipt(after))
                except TicketChanged:
                    continue
                return after
    raise Busy("the ticket is changing; try again")
