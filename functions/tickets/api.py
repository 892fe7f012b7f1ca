"""The HTTP routes of Tickets."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from functions.tickets import actions
from functions.tickets.schemas import OwnTicketList, OwnTicketOut, TicketIn, TicketList, TicketOut
from functions.tickets.settings import Settings, stage_currency
from functions.tickets.store import TicketStore
from functions.tickets.ticket import NotYours, Ticket, TicketHeld, TicketNotFound, TicketSold
from shared import clock, settings
from shared.http import Api, Cursor, Limit, Remember
from shared.money import Price
from shared.pages import DEFAULT_LIMIT
from shared.problems import refusal
from shared.table import Table

api = Api(
    public=("GET /api/tickets", "GET /api/tickets/{id}"),
    refusals={
        TicketNotFound: refusal(404, "ticket_not_found"),
        NotYours: refusal(403, "not_your_ticket"),
        TicketHeld: refusal(409, "ticket_held"),
        TicketSold: refusal(409, "ticket_sold"),
    },
)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Entry point."""
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
def list_mine(limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> OwnTicketList:
    """What the caller sells, whatever its status, newest first."""
    return OwnTicketList.of(_store().of_seller(api.user.id, limit=limit, cursor=cursor), clock.now())


@api.get("/api/tickets/<ticket_id>")
@api.refuses(TicketNotFound)
def get_ticket(ticket_id: Annotated[str, Path()]) -> TicketOut:
    """One ticket."""
    return TicketOut.of(actions.find(_store(), ticket_id), clock.now())


@api.put("/api/tickets/<ticket_id>")
@api.refuses(TicketNotFound, NotYours, TicketHeld, TicketSold)
def edit_ticket(ticket_id: Annotated[str, Path()], body: Annotated[TicketIn, Body()]) -> Response[OwnTicketOut]:
    """Give one of the caller's tickets another title and price."""

    def edit(remember: Remember) -> Response[OwnTicketOut]:
        ticket = actions.edit(
            _store(),
            ticket_id,
            editor=api.user.id,
            title=body.title,
            price=Price(body.price),
            currency=stage_currency().code,
            receipt=lambda ticket: remember(200, _own(ticket)),
        )
        return Response(200, "application/json", _own(ticket))

    return api.once(_store().table, edit)


@api.delete("/api/tickets/<ticket_id>", status_code=204)
@api.refuses(TicketNotFound, NotYours, TicketHeld, TicketSold)
def withdraw_ticket(ticket_id: Annotated[str, Path()]) -> Response[None]:
    """Take one of the caller's tickets off sale."""

    def withdraw(remember: Remember) -> Response[None]:
        actions.withdraw(_store(), ticket_id, seller=api.user.id, receipt=lambda _ticket: remember(204, None))
        return Response(204)

    return api.once(_store().table, withdraw)


def _own(ticket: Ticket) -> OwnTicketOut:
    return OwnTicketOut.of(ticket, clock.now())


def _store() -> TicketStore:
    return TicketStore(Table(settings.load(Settings).table_name))
