"""The HTTP routes of Orders."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from functions.orders import actions
from functions.orders.order import (
    OrderNotFound,
    OrderPaid,
    OwnTicket,
    PriceChanged,
    TicketHeld,
    TicketNotFound,
    TicketSold,
    TicketWithdrawn,
)
from functions.orders.schemas import OrderList, OrderOut, PlaceOrder
from functions.orders.store import OrderStore
from shared import settings
from shared.http import Api, Cursor, Limit, Remember
from shared.pagination import DEFAULT_LIMIT, Page
from shared.problems import FieldError, Problem, refusal
from shared.table import Table


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment of the Orders API. `order_window_seconds` is the duration of a hold."""

    table_name: str
    order_window_seconds: int = 300


OfTicket = Annotated[
    str | None,
    Query(alias="ticketID", description="Return only the order by which you hold or have bought this ticket."),
]
OfTicketAgain = Annotated[str | None, Query(alias="ticketId", description="Alias of `ticketID`.")]

api = Api(
    refusals={
        TicketNotFound: refusal(
            404, "ticket_not_found", lambda error: {"headers": {"Retry-After": "1"}} if error.young else {}
        ),
        OrderNotFound: refusal(404, "order_not_found"),
        OwnTicket: refusal(403, "own_ticket"),
        TicketHeld: refusal(409, "ticket_held"),
        TicketSold: refusal(409, "ticket_sold"),
        TicketWithdrawn: refusal(409, "ticket_withdrawn"),
        PriceChanged: refusal(409, "price_changed"),
        OrderPaid: refusal(409, "order_paid"),
    }
)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Handle one request of the HTTP API."""
    return api.handle(event, context)


@api.post("/api/orders", status_code=201)
@api.refuses(
    *(TicketNotFound, OwnTicket, TicketHeld, TicketSold, TicketWithdrawn, PriceChanged),
    also={200: "The caller's existing order, which holds the ticket already."},
)
def place_order(body: Annotated[PlaceOrder, Body()]) -> Response[OrderOut]:
    """Place an order.

    The order holds the ticket for the caller until `expiresAt`.
    """

    def place(remember: Remember) -> Response[OrderOut]:
        order, is_new = actions.place(
            _store(),
            buyer=api.user.id,
            ticket_id=body.ticket_id,
            shown_price=body.shown_price,
            window=timedelta(seconds=settings.load(Settings).order_window_seconds),
            receipt=lambda order: remember(201, OrderOut.of(order)),
        )
        return Response(201 if is_new else 200, "application/json", OrderOut.of(order))

    return api.once(_store().table, place)


@api.get("/api/orders")
def list_orders(
    limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None, ticket: OfTicket = None, ticket_again: OfTicketAgain = None
) -> OrderList:
    """List the caller's orders, newest first.

    With `ticketID`, returns at most one order: the one by which the caller holds or has bought that ticket. An order
    past its `expiresAt` is included until it is cancelled. `ticketID` and `cursor` cannot be combined.
    """
    if ticket is None and ticket_again is None:
        return OrderList.of(_store().orders(api.user.id, limit=limit, cursor=cursor))
    if ticket is not None and ticket_again is not None:
        raise _refused("use either ticketID or ticketId, not both", "ticketID")
    if cursor is not None:
        raise _refused("cannot be combined with ticketID", "cursor")
    order = actions.find_for_ticket(_store(), user_id=api.user.id, ticket_id=ticket or ticket_again or "")
    return OrderList.of(Page((order,) if order else (), None))


@api.get("/api/orders/<order_id>")
@api.refuses(OrderNotFound)
def get_order(order_id: Annotated[str, Path()]) -> OrderOut:
    """Get one of the caller's orders."""
    return OrderOut.of(actions.find(_store(), user_id=api.user.id, order_id=order_id))


@api.delete("/api/orders/<order_id>", status_code=204)
@api.refuses(OrderNotFound, OrderPaid)
def cancel_order(order_id: Annotated[str, Path()]) -> Response[None]:
    """Cancel an unpaid order."""

    def cancel(remember: Remember) -> Response[None]:
        actions.cancel(_store(), user_id=api.user.id, order_id=order_id, receipt=lambda _order: remember(204, None))
        return Response(204)

    return api.once(_store().table, cancel)


def _refused(message: str, field: str) -> Problem:
    return Problem(400, "invalid_request", f"{field}: {message}", [FieldError(message, field)])


def _store() -> OrderStore:
    return OrderStore(Table(settings.load(Settings).table_name, has_sort_key=True))
