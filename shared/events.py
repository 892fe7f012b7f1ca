"""The contracts of all events.

An event is `{metadata, data}`. `data.version` is the version of the aggregate: it rises by one with each published
write, and consumers ignore events that are not newer than their state. Fields are added, never changed or removed;
consumers ignore unknown fields. Prices are decimal strings, instants RFC 3339.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared import clock
from shared.ids import OrderID, PaymentID, TicketID, UserID, new_id
from shared.money import MinorUnits, Price
from shared.telemetry import Trace, current_trace


class Data(BaseModel):
    """Base of the payload of an event. There is one class per event type."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True, hide_input_in_errors=True)

    type: ClassVar[str]


class Refund(BaseModel):
    """A refund of a completed order: the total so far, the reason, and the time of recording in Orders."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True, hide_input_in_errors=True)

    amount: Price
    reason: Literal["refunded_at_stripe", "refunded_by_seller", "dispute_lost"]
    at: AwareDatetime


class RefundRequest(BaseModel):
    """The buyer's request for a refund. Nothing about `reason` is safe: it is what a user has typed."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True, hide_input_in_errors=True)

    reason: str
    at: AwareDatetime


class RefundDecision(BaseModel):
    """The decision to refund an order. Nothing about `reason` is safe: it is what the seller has typed."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True, hide_input_in_errors=True)

    at: AwareDatetime
    reason: str | None = None


class TicketCreated(Data):
    """A ticket was put on sale."""

    type: ClassVar[str] = "ticket:created"

    id: TicketID
    version: int
    title: str
    price: Price
    currency: str
    userID: UserID


class TicketUpdated(TicketCreated):
    """A ticket was changed by its seller, or reserved, freed, sold or refunded by an order.

    Its seller has edited or withdrawn it, or put it on sale again (`relisted`).
    `refund-requested` means that the buyer has asked for a refund of the sale, `refunding` that it was decided.
    `refund` and `refundRequest` are those of the sale. `declined` means that Orders declined a change requested by the
    seller; the ticket is unchanged.
    """

    type: ClassVar[str] = "ticket:updated"

    status: Literal["available", "reserved", "sold", "withdrawn"]
    change: Literal[
        "edited",
        "withdrawn",
        "relisted",
        "reserved",
        "freed",
        "sold",
        "refund-requested",
        "refunding",
        "refunded",
        "declined",
    ]
    orderID: OrderID | None = None
    refund: Refund | None = None
    refundRequest: RefundRequest | None = None


class TicketChangeRequested(TicketCreated):
    """The seller has requested this title, price and currency, or a withdrawal. Orders decides about the change.

    `relisted` means that the seller puts a refunded ticket on sale again, which no other change does. The same change
    can be requested again under a later version.
    """

    type: ClassVar[str] = "ticket:change-requested"

    withdrawn: bool
    changeID: str
    relisted: bool | None = None


class TicketChangeDecision(Data):
    """Common fields of the decisions of Orders about requested changes. `version` counts the ticket's decisions."""

    id: TicketID
    version: int
    changeID: str


class TicketChangeAccepted(TicketChangeDecision):
    """The change was accepted: no order holds the ticket, and it can only be ordered as changed from now on."""

    type: ClassVar[str] = "ticket:change-accepted"


class TicketChangeDeclined(TicketChangeDecision):
    """The change was declined: an order holds or has bought the ticket. The ticket is unchanged."""

    type: ClassVar[str] = "ticket:change-declined"

    reason: Literal["held", "sold"]


class OrderedTicket(BaseModel):
    """The ticket as it was ordered. `hold` is the hold version: it counts the hold's changes over all orders.

    `fee` is the marketplace's fee on the sale, as of when the order was placed. Older events lack it and the seller.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True, hide_input_in_errors=True)

    id: TicketID
    title: str
    price: Price
    currency: str
    hold: int
    sellerID: UserID | None = None
    fee: Price | None = None


class OrderEvent(Data):
    """Common fields of the events of an order: its whole state."""

    id: OrderID
    version: int
    status: Literal["created", "awaiting:payment", "completed", "cancelled", "refunding", "refunded"]
    userID: UserID
    expiresAt: AwareDatetime
    ticket: OrderedTicket
    refund: Refund | None = None
    refundRequest: RefundRequest | None = None
    refundDecision: RefundDecision | None = None


class OrderCreated(OrderEvent):
    """The ticket is held for the buyer until `expiresAt`."""

    type: ClassVar[str] = "order:created"


class OrderAwaitingPayment(OrderEvent):
    """Funds are authorised and the order no longer expires. Payments captures the funds."""

    type: ClassVar[str] = "order:awaiting-payment"


class OrderCompleted(OrderEvent):
    """The order is paid and the ticket is sold. With `refund`, a part of the money has been refunded since.

    With `refundRequest`, the buyer has asked for a refund.
    """

    type: ClassVar[str] = "order:completed"


class OrderRefundRequested(OrderEvent):
    """A refund of the completed order was decided, and is never taken back. Payments refunds the money."""

    type: ClassVar[str] = "order:refund-requested"

    refundDecision: RefundDecision


class OrderRefunded(OrderEvent):
    """The whole price of a completed order was refunded; the ticket is free and withdrawn."""

    type: ClassVar[str] = "order:refunded"

    refund: Refund


class OrderCancelled(OrderEvent):
    """The order ended without a sale, and the ticket is free."""

    type: ClassVar[str] = "order:cancelled"

    reason: Literal["cancelled_by_buyer", "expired", "payment_failed"]


class ExpirationCompleted(Data):
    """The order's deadline has passed."""

    type: ClassVar[str] = "expiration:completed"

    orderId: OrderID
    userID: UserID


class PaymentEvent(Data):
    """Common fields of the events of a payment."""

    id: PaymentID
    version: int
    orderId: OrderID
    userID: UserID
    stripeId: str


class PaymentAuthorized(PaymentEvent):
    """The funds are authorised at Stripe."""

    type: ClassVar[str] = "payment:authorized"


class PaymentCreated(PaymentEvent):
    """The money is captured."""

    type: ClassVar[str] = "payment:created"


class PaymentFailed(PaymentEvent):
    """Capture was attempted and has failed permanently."""

    type: ClassVar[str] = "payment:failed"

    reason: str


class PaymentVoided(PaymentEvent):
    """The authorisation is released, or the PaymentIntent can no longer be paid."""

    type: ClassVar[str] = "payment:voided"

    reason: str


class PaymentPartlyRefunded(PaymentEvent):
    """A part of the captured money was refunded; `amountRefunded` is the total so far, in minor units."""

    type: ClassVar[str] = "payment:partly-refunded"

    reason: str
    amountRefunded: MinorUnits


class PaymentRefunded(PaymentEvent):
    """The money was refunded: by Payments, by hand at Stripe, or by a lost dispute.

    `amountRefunded` is the total in minor units. Older events do not have it and mean the order's whole price.
    """

    type: ClassVar[str] = "payment:refunded"

    reason: str
    amountRefunded: MinorUnits | None = None


class PaidTicket(BaseModel):
    """The ticket that a seller is paid for."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True, hide_input_in_errors=True)

    id: TicketID
    title: str


class PayoutEvent(Data):
    """Common fields of the events of a seller's earnings from an order. `id` is the order's, `userID` the seller's.

    `at` is when it was recorded; events from before 2026-11-28, 24:00 UTC, lack it.
    """

    id: OrderID
    version: int
    userID: UserID
    ticket: PaidTicket
    amount: Price
    currency: str
    at: AwareDatetime | None = None


class PayoutCreated(PayoutEvent):
    """The amount was transferred to the seller's account."""

    type: ClassVar[str] = "payout:created"


class PayoutReversed(PayoutEvent):
    """The amount, the total so far, was taken back from the seller's account: the order was refunded, or lost."""

    type: ClassVar[str] = "payout:reversed"


class PayoutBlocked(PayoutEvent):
    """The amount, which is due, is not sent for now: the buyer disputes the payment, or a refund is under way."""

    type: ClassVar[str] = "payout:blocked"


CONTRACTS: Mapping[str, type[Data]] = {
    contract.type: contract
    for contract in (
        TicketCreated,
        TicketUpdated,
        TicketChangeRequested,
        TicketChangeAccepted,
        TicketChangeDeclined,
        OrderCreated,
        OrderAwaitingPayment,
        OrderCompleted,
        OrderRefundRequested,
        OrderRefunded,
        OrderCancelled,
        ExpirationCompleted,
        PaymentAuthorized,
        PaymentCreated,
        PaymentFailed,
        PaymentVoided,
        PaymentPartlyRefunded,
        PaymentRefunded,
        PayoutCreated,
        PayoutReversed,
        PayoutBlocked,
    )
}


class Metadata(BaseModel):
    """Event id, time of the write, schema version, and the ids of the request and the message that caused the event."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True, hide_input_in_errors=True)

    id: str
    time: AwareDatetime
    version: int = 1
    correlationId: str
    causationId: str


class Event[D: Data](BaseModel):
    """One event as published on the bus."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True, hide_input_in_errors=True)

    metadata: Metadata
    data: D


def outbox_entry(data: Data) -> dict[str, Any]:
    """Create the outbox entry of an event, which the relay publishes: `id`, `type`, and `detail` as JSON."""
    ident = new_id()
    trace = current_trace() or Trace(correlation_id=ident, causation_id=ident)
    metadata = Metadata(id=ident, time=clock.now(), correlationId=trace.correlation_id, causationId=trace.causation_id)
    detail = f'{{"metadata":{metadata.model_dump_json()},"data":{data.model_dump_json(exclude_none=True)}}}'
    return {"id": ident, "type": data.type, "detail": detail}


def last_event(item: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the last outbox entry of an item, or None.

    The latest write has published `event`, or it has published nothing and kept the one before as `lastEvent`: then it
    does not invoke the relay.
    """
    found: dict[str, Any] | None = item.get("event") or item.get("lastEvent")
    return found


class UnknownEvent(ValueError):
    """No contract has this event type."""


def parse(event_type: str, detail: Mapping[str, Any]) -> Event[Any]:
    """Parse an EventBridge `detail` into a typed event.

    Raises UnknownEvent for a type without a contract, pydantic's ValidationError for a detail that violates it.
    """
    if event_type not in CONTRACTS:
        raise UnknownEvent(event_type)
    return Event(
        metadata=Metadata.model_validate(detail.get("metadata")),
        data=CONTRACTS[event_type].model_validate(detail.get("data")),
    )
