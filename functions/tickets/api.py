"""The HTTP routes of Tickets."""

from dataclasses import dataclass
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from functions.tickets import actions
from functions.tickets.schemas import FeeOut, OwnTicketList, OwnTicketOut, TicketEdit, TicketIn, TicketList, TicketOut
from functions.tickets.store import TicketStore
from functions.tickets.ticket import (
    ChangePending,
    EditOutdated,
    NotRefunded,
    NotYours,
    Ticket,
    TicketHeld,
    TicketNotFound,
    TicketSold,
)
from shared import clock, settings
from shared.http import Api, Cursor, Limit
from shared.ids import new_id
from shared.money import CURRENCIES, BadPrice, Currency, FeeRule, Price, parse_price
from shared.pagination import DEFAULT_LIMIT, Page
from shared.problems import FieldError, Problem, problem_type
from shared.table import Table

OfTicket = Annotated[str | None, Query(alias="ticketID", description="Return only this ticket, if you are its seller.")]


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment of the Tickets API. `currency` is that of this stage, as a lower-case ISO code.

    `fee_percent` and `fee_fixed` are the two parts of the fee on a sale, as decimals.
    """

    table_name: str
    currency: str
    fee_percent: str
    fee_fixed: str


def _table() -> Table:
    return Table(settings.load(Settings).table_name)


ON_SALE = ("GET /api/tickets", "GET /api/tickets/{id}")

api = Api(
    table=_table,
    public=[*ON_SALE, "GET /api/fee"],
    cached=ON_SALE,
    problems={
        TicketNotFound: problem_type(404, "ticket_not_found"),
        NotYours: problem_type(403, "not_your_ticket"),
        TicketHeld: problem_type(409, "ticket_held"),
        TicketSold: problem_type(409, "ticket_sold"),
        NotRefunded: problem_type(409, "ticket_not_refunded"),
        EditOutdated: problem_type(409, "ticket_changed"),
        ChangePending: problem_type(409, "change_pending", Retry_After="1"),
    },
)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Handle one request of the HTTP API."""
    return api.handle(event, context)


@api.post("/api/tickets", status_code=201)
@api.idempotent
def create_ticket(body: Annotated[TicketIn, Body()]) -> Response[OwnTicketOut]:
    """Create a ticket and put it on sale."""
    currency = _currency()
    ticket = actions.create_ticket(
        TicketStore(_table(), api.completion(_own)),
        seller=api.user.id,
        title=body.title,
        price=_price(body, currency),
        currency=currency.code,
    )
    return api.success(_own(ticket))


@api.get("/api/tickets")
def list_on_sale(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> TicketList:
    """The tickets on sale now, newest first."""
    now = clock.now()
    return TicketList.of(TicketStore(_table()).on_sale(now, limit=limit, cursor=cursor), now)


@api.get("/api/tickets/mine")
def list_mine(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None, ticket: OfTicket = None) -> OwnTicketList:
    """List the caller's tickets in any status, newest first.

    With `ticketID`, returns only that ticket, if the caller is its seller. `ticketID` and `cursor` cannot be combined.
    """
    if ticket is not None:
        if cursor is not None:
            message = "cannot be combined with ticketID"
            raise Problem(400, "invalid_request", f"cursor: {message}", [FieldError(message, "cursor")])
        own = actions.find_own_ticket(TicketStore(_table()), seller=api.user.id, ticket_id=ticket)
        return OwnTicketList.of(Page((own,) if own else (), None), clock.now())
    return OwnTicketList.of(TicketStore(_table()).of_seller(api.user.id, limit=limit, cursor=cursor), clock.now())


@api.get("/api/tickets/<ticket_id>")
@api.raises(TicketNotFound)
def get_ticket(ticket_id: Annotated[str, Path()]) -> TicketOut:
    """Get a ticket."""
    return TicketOut.of(actions.get_ticket(TicketStore(_table()), ticket_id), clock.now())


@api.get("/api/fee")
def get_fee() -> FeeOut:
    """Get the fee on a sale.

    The seller gets the price less `percent` of it and `fixed`, rounded half to even to the currency's smallest unit,
    and never less than nothing. The fee of an order is that of the time at which it was placed.
    """
    env, currency = settings.load(Settings), _currency()
    return FeeOut.of(FeeRule.parse(percent=env.fee_percent, fixed=env.fee_fixed), currency)


UNDECIDED = {
    202: "The change is pending: neither in force nor refused. No buyer held the ticket at the time of the request, but"
    " an order may have been placed first. `pendingChange` contains the change. Repeat the request with the same"
    " Idempotency-Key to get the outcome."
}


@api.put("/api/tickets/<ticket_id>")
@api.raises(TicketNotFound, NotYours, TicketHeld, TicketSold, EditOutdated, ChangePending, successes=UNDECIDED)
@api.idempotent
def edit_ticket(ticket_id: Annotated[str, Path()], body: Annotated[TicketEdit, Body()]) -> Response[OwnTicketOut]:
    """Change the title and price of one of the caller's tickets.

    After a 200 the ticket can only be ordered as changed, and no order placed before the change can complete. Refused
    while a buyer holds the ticket or has bought it. An unpaid order past its `expiresAt` is cancelled.
    """
    currency = _currency()
    ticket, is_in_force = actions.edit_ticket(
        TicketStore(_table()),
        ticket_id,
        seller=api.user.id,
        change_id=_change_id(),
        title=body.title,
        price=_price(body, currency),
        currency=currency.code,
        based_on=body.version,
    )
    return api.success(_own(ticket)) if is_in_force else _accepted(ticket)


@api.delete("/api/tickets/<ticket_id>", status_code=204)
@api.raises(TicketNotFound, NotYours, TicketHeld, TicketSold, ChangePending, successes=UNDECIDED)
@api.idempotent
def withdraw_ticket(ticket_id: Annotated[str, Path()]) -> Response[OwnTicketOut | None]:
    """Withdraw one of the caller's tickets from sale.

    After a 204 the ticket can no longer be ordered, and no order placed before the withdrawal can complete. Refused
    while a buyer holds the ticket or has bought it. An unpaid order past its `expiresAt` is cancelled.
    """
    store = TicketStore(_table())
    ticket, is_in_force = actions.withdraw_ticket(store, ticket_id, seller=api.user.id, change_id=_change_id())
    return api.success() if is_in_force else _accepted(ticket)


@api.post("/api/tickets/<ticket_id>/relist", status_code=200)
@api.raises(TicketNotFound, NotYours, NotRefunded, TicketHeld, TicketSold, ChangePending, successes=UNDECIDED)
@api.idempotent
def relist_ticket(ticket_id: Annotated[str, Path()]) -> Response[OwnTicketOut]:
    """Put one of the caller's tickets on sale again, after its sale was refunded in full.

    A refund withdraws the ticket. After a 200 it can be ordered again, with the title and price that it has now.
    """
    store = TicketStore(_table())
    ticket, is_in_force = actions.relist_ticket(store, ticket_id, seller=api.user.id, change_id=_change_id())
    return api.success(_own(ticket)) if is_in_force else _accepted(ticket)


def _change_id() -> str:
    """Return an id that is equal for all calls with the same Idempotency-Key, so that a retry finds its change."""
    return api.idempotency_id or new_id()


def _accepted(ticket: Ticket) -> Response[Any]:
    return Response(202, "application/json", _own(ticket), headers={"Retry-After": "1"})


def _own(ticket: Ticket) -> OwnTicketOut:
    return OwnTicketOut.of(ticket, clock.now())


def _currency() -> Currency:
    """Return the currency of this stage."""
    return CURRENCIES[settings.load(Settings).currency]


def _price(body: TicketIn, currency: Currency) -> Price:
    """Return the price in canonical form. Raises Problem if it cannot be charged in this currency."""
    try:
        return parse_price(body.price, currency)
    except BadPrice as error:
        raise Problem(400, "invalid_request", f"price {error}", [FieldError(str(error), "price")]) from None
