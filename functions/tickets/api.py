"""The HTTP routes of Tickets."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from functions.tickets import actions
from functions.tickets.schemas import OwnTicketList, OwnTicketOut, TicketEdit, TicketIn, TicketList, TicketOut
from functions.tickets.settings import Settings, stage_currency
from functions.tickets.store import TicketStore
from functions.tickets.ticket import (
    ChangePending,
    EditOutdated,
    NotYours,
    Ticket,
    TicketHeld,
    TicketNotFound,
    TicketSold,
)
from shared import clock, settings
from shared.http import Api, Cursor, Limit, Remember
from shared.ids import new_id
from shared.money import Price
from shared.pagination import DEFAULT_LIMIT, Page
from shared.problems import FieldError, Problem, refusal
from shared.table import Table

OfTicket = Annotated[str | None, Query(alias="ticketID", description="Return only this ticket, if you are its seller.")]

api = Api(
    public=("GET /api/tickets", "GET /api/tickets/{id}"),
    refusals={
        TicketNotFound: refusal(404, "ticket_not_found"),
        NotYours: refusal(403, "not_your_ticket"),
        TicketHeld: refusal(409, "ticket_held"),
        TicketSold: refusal(409, "ticket_sold"),
        EditOutdated: refusal(409, "ticket_changed"),
        ChangePending: refusal(409, "change_pending", Retry_After="1"),
    },
)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Handle one request of the HTTP API."""
    return api.handle(event, context)


@api.post("/api/tickets", status_code=201)
def put_on_sale(body: Annotated[TicketIn, Body()]) -> Response[OwnTicketOut]:
    """Put a ticket on sale."""

    def put(remember: Remember) -> Response[OwnTicketOut]:
        ticket = actions.put_on_sale(
            _store(),
            seller=api.user.id,
            title=body.title,
            price=Price(body.price),
            currency=stage_currency().code,
            receipt=lambda ticket: remember(201, _own(ticket)),
        )
        return Response(201, "application/json", _own(ticket))

    return api.once(_store().table, put)


@api.get("/api/tickets")
def list_on_sale(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> TicketList:
    """The tickets on sale now, newest first."""
    now = clock.now()
    return TicketList.of(_store().on_sale(now, limit=limit, cursor=cursor), now)


@api.get("/api/tickets/mine")
def list_mine(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None, ticket: OfTicket = None) -> OwnTicketList:
    """List the caller's tickets in any status, newest first.

    With `ticketID`, returns only that ticket, if the caller is its seller. `ticketID` and `cursor` cannot be combined.
    """
    if ticket is not None:
        if cursor is not None:
            message = "cannot be combined with ticketID"
            raise Problem(400, "invalid_request", f"cursor: {message}", [FieldError(message, "cursor")])
        own = actions.find_own(_store(), seller=api.user.id, ticket_id=ticket)
        return OwnTicketList.of(Page((own,) if own else (), None), clock.now())
    return OwnTicketList.of(_store().of_seller(api.user.id, limit=limit, cursor=cursor), clock.now())


@api.get("/api/tickets/<ticket_id>")
@api.refuses(TicketNotFound)
def get_ticket(ticket_id: Annotated[str, Path()]) -> TicketOut:
    """Get a ticket."""
    return TicketOut.of(actions.find(_store(), ticket_id), clock.now())


UNDECIDED = {
    202: "The change is pending: neither in force nor refused. No buyer held the ticket at the time of the request, but"
    " an order may have been placed first. `pendingChange` contains the change. Repeat the request with the same"
    " Idempotency-Key to get the outcome."
}


@api.put("/api/tickets/<ticket_id>")
@api.refuses(TicketNotFound, NotYours, TicketHeld, TicketSold, EditOutdated, ChangePending, also=UNDECIDED)
def edit_ticket(ticket_id: Annotated[str, Path()], body: Annotated[TicketEdit, Body()]) -> Response[OwnTicketOut]:
    """Change the title and price of one of the caller's tickets.

    After a 200 the ticket can only be ordered as changed, and no order placed before the change can complete. Refused
    while a buyer holds the ticket or has bought it. An unpaid order past its `expiresAt` is cancelled.
    """

    def edit(_remember: Remember) -> Response[OwnTicketOut]:
        ticket, is_in_force = actions.edit(
            _store(),
            ticket_id,
            seller=api.user.id,
            change_id=_change_id(),
            title=body.title,
            price=Price(body.price),
            currency=stage_currency().code,
            based_on=body.version,
        )
        return Response(200, "application/json", _own(ticket)) if is_in_force else _accepted(ticket)

    return api.once(_store().table, edit)


@api.delete("/api/tickets/<ticket_id>", status_code=204)
@api.refuses(TicketNotFound, NotYours, TicketHeld, TicketSold, ChangePending, also=UNDECIDED)
def withdraw_ticket(ticket_id: Annotated[str, Path()]) -> Response[OwnTicketOut | None]:
    """Withdraw one of the caller's tickets from sale.

    After a 204 the ticket can no longer be ordered, and no order placed before the withdrawal can complete. Refused
    while a buyer holds the ticket or has bought it. An unpaid order past its `expiresAt` is cancelled.
    """

    def withdraw(_remember: Remember) -> Response[OwnTicketOut | None]:
        ticket, is_in_force = actions.withdraw(_store(), ticket_id, seller=api.user.id, change_id=_change_id())
        return Response(204) if is_in_force else _accepted(ticket)

    return api.once(_store().table, withdraw)


def _change_id() -> str:
    """Return an id that is equal for all calls with the same Idempotency-Key, so that a retry finds its change."""
    return api.intention or new_id()


def _accepted(ticket: Ticket) -> Response[Any]:
    return Response(202, "application/json", _own(ticket), headers={"Retry-After": "1"})


def _own(ticket: Ticket) -> OwnTicketOut:
    return OwnTicketOut.of(ticket, clock.now())


def _store() -> TicketStore:
    return TicketStore(Table(settings.load(Settings).table_name))
