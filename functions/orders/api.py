"""The HTTP routes of Orders."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from functions.orders import actions
from functions.orders.buyer import RecentlyLapsed, TooManyHolds
from functions.orders.order import (
    OrderNotCompleted,
    OrderNotFound,
    OrderPaid,
    OrderRefunded,
    OwnTicket,
    PriceChanged,
    RefundRequested,
    TicketHeld,
    TicketNotFound,
    TicketSold,
    TicketWithdrawn,
)
from functions.orders.schemas import OrderList, OrderOut, PlaceOrder, RefundIn, RefundRequestIn, SaleOut
from functions.orders.store import OrderStore
from shared import settings
from shared.http import Api, Cursor, Limit
from shared.money import FeeRule
from shared.pagination import DEFAULT_LIMIT, Page
from shared.problems import FieldError, Problem, problem_type
from shared.table import Table


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment of the Orders API. `order_window_seconds` is the duration of a hold.

    `holds_per_buyer` is the number of unpaid holds that one buyer may have. `fee_percent` and `fee_fixed` are the two
    parts of the fee on a sale, as decimals.
    """

    table_name: str
    fee_percent: str
    fee_fixed: str
    order_window_seconds: int = 300
    holds_per_buyer: int = 10


OfTicket = Annotated[
    str | None,
    Query(alias="ticketID", description="Return only the order by which you hold or have bought this ticket."),
]
OfTicketAlias = Annotated[str | None, Query(alias="ticketId", description="Alias of `ticketID`.")]


def _terms() -> actions.Terms:
    env = settings.load(Settings)
    return actions.Terms(
        window=timedelta(seconds=env.order_window_seconds),
        holds_per_buyer=env.holds_per_buyer,
        fee=FeeRule.parse(percent=env.fee_percent, fixed=env.fee_fixed),
    )


def _retry_after(error: TooManyHolds | RecentlyLapsed) -> dict[str, object]:
    return {"headers": {"Retry-After": str(error.retry_after)}}


def _table() -> Table:
    return Table(settings.load(Settings).table_name, has_sort_key=True)


api = Api(
    table=_table,
    problems={
        TicketNotFound: problem_type(
            404, "ticket_not_found", lambda error: {"headers": {"Retry-After": "1"}} if error.is_recent else {}
        ),
        OrderNotFound: problem_type(404, "order_not_found"),
        OwnTicket: problem_type(403, "own_ticket"),
        TicketHeld: problem_type(409, "ticket_held"),
        TicketSold: problem_type(409, "ticket_sold"),
        TicketWithdrawn: problem_type(409, "ticket_withdrawn"),
        PriceChanged: problem_type(409, "price_changed"),
        TooManyHolds: problem_type(409, "too_many_holds", _retry_after),
        RecentlyLapsed: problem_type(409, "recently_lapsed", _retry_after),
        OrderPaid: problem_type(409, "order_paid"),
        OrderNotCompleted: problem_type(409, "order_not_completed"),
        OrderRefunded: problem_type(409, "order_refunded"),
        RefundRequested: problem_type(409, "refund_requested"),
    },
)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Handle one request of the HTTP API."""
    return api.handle(event, context)


@api.post("/api/orders", status_code=201)
@api.raises(
    *(TicketNotFound, OwnTicket, TicketHeld, TicketSold, TicketWithdrawn, PriceChanged, TooManyHolds, RecentlyLapsed),
    successes={200: "The caller's existing order, which holds the ticket already."},
)
@api.idempotent
def place_order(body: Annotated[PlaceOrder, Body()]) -> Response[OrderOut]:
    """Place an order.

    The order holds the ticket for the caller until `expiresAt`. A caller may have ten unpaid orders at once (409
    `too_many_holds`). Cancelling and ordering the same ticket again does not extend the time to pay for it; once that
    has passed without a payment, the caller cannot order the ticket for as long again (409 `recently_lapsed`).
    `Retry-After` says when either ends.
    """
    order, is_new = actions.place_order(
        OrderStore(_table(), api.completion(OrderOut.of)),
        buyer=api.user.id,
        ticket_id=body.ticket_id,
        shown_price=body.shown_price,
        terms=_terms(),
    )
    return api.success(OrderOut.of(order)) if is_new else Response(200, "application/json", OrderOut.of(order))


@api.get("/api/orders")
def list_orders(
    limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None, ticket: OfTicket = None, ticket_alias: OfTicketAlias = None
) -> OrderList:
    """List the caller's orders, newest first.

    With `ticketID`, returns at most one order: the one by which the caller holds or has bought that ticket. An order
    past its `expiresAt` is included until it is cancelled. `ticketID` and `cursor` cannot be combined.
    """
    if ticket is None and ticket_alias is None:
        return OrderList.of(OrderStore(_table()).orders(api.user.id, limit=limit, cursor=cursor))
    if ticket is not None and ticket_alias is not None:
        raise _invalid("use either ticketID or ticketId, not both", "ticketID")
    if cursor is not None:
        raise _invalid("cannot be combined with ticketID", "cursor")
    order = actions.find_order_for_ticket(
        OrderStore(_table()), user_id=api.user.id, ticket_id=ticket or ticket_alias or ""
    )
    return OrderList.of(Page((order,) if order else (), None))


@api.get("/api/orders/<order_id>")
@api.raises(OrderNotFound)
def get_order(order_id: Annotated[str, Path()]) -> OrderOut:
    """Get one of the caller's orders."""
    return OrderOut.of(actions.get_order(OrderStore(_table()), user_id=api.user.id, order_id=order_id))


@api.delete("/api/orders/<order_id>", status_code=204)
@api.raises(OrderNotFound, OrderPaid)
@api.idempotent
def cancel_order(order_id: Annotated[str, Path()]) -> Response[None]:
    """Cancel an unpaid order."""
    store = OrderStore(_table(), api.completion(lambda _order: None))
    actions.cancel_order(store, user_id=api.user.id, order_id=order_id)
    return api.success()


@api.post("/api/orders/<order_id>/refund", status_code=202)
@api.raises(OrderNotFound, OrderRefunded)
@api.idempotent
def refund_order(order_id: Annotated[str, Path()], body: Annotated[RefundIn, Body()]) -> Response[SaleOut]:
    """Refund a sold ticket in full.

    For the seller of the ticket. The order is `refunding` until the money has gone back to the buyer, then `refunded`;
    this is never taken back. The ticket is then withdrawn, and its seller can put it on sale again. A repeated call
    changes nothing. A refund takes a moment; it takes longer while the buyer's bank decides about a dispute.
    """
    store = OrderStore(_table(), api.completion(SaleOut.of))
    order = actions.refund_order(store, seller=api.user.id, order_id=order_id, reason=body.reason)
    return api.success(SaleOut.of(order))


@api.post("/api/orders/<order_id>/refund-request", status_code=202)
@api.raises(OrderNotFound, OrderNotCompleted, OrderRefunded, RefundRequested)
@api.idempotent
def request_refund(order_id: Annotated[str, Path()], body: Annotated[RefundRequestIn, Body()]) -> Response[None]:
    """Ask the seller for a refund of one of the caller's completed orders, once.

    The seller sees the request with the ticket and decides. If the seller does not refund within three days, the
    operator is alerted.
    """
    store = OrderStore(_table(), api.completion(lambda _order: None))
    actions.request_refund(store, user_id=api.user.id, order_id=order_id, reason=body.reason)
    return api.success()


def _invalid(message: str, field: str) -> Problem:
    return Problem(400, "invalid_request", f"{field}: {message}", [FieldError(message, field)])
