"""Every event of the system, as its consumers may rely on it.

An event is `{metadata, data}`. `data.version` is the aggregate's: it rises by one with each told write, and consumers
drop what is not newer than what they have. Fields are added, never changed or removed, and consumers ignore those they
don't know. A price is the decimal string, an instant RFC 3339.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared import clock
from shared.ids import OrderID, PaymentID, TicketID, UserID, new_id
from shared.money import MinorUnits, Price
from shared.telemetry import Trace, current_trace


class Data(BaseModel):
    """What an event says; the class stands for the event's type."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True, hide_input_in_errors=True)

    type: ClassVar[str]


class TicketCreated(Data):
    """A ticket is on sale."""

    type: ClassVar[str] = "ticket:created"

    id: TicketID
    version: int
    title: str
    price: Price
    currency: str
    userID: UserID


class TicketUpdated(TicketCreated):
    """A ticket was edited or withdrawn by its seller, or reserved, freed, sold or refunded by an order.

    `declined`: Orders declined a change that the seller had requested; the ticket is as it was.
    """

    type: ClassVar[str] = "ticket:updated"

    status: Literal["available", "reserved", "sold", "withdrawn"]
    change: Literal["edited", "withdrawn", "reserved", "freed", "sold", "refunded", "declined"]
    orderID: OrderID | None = None


class TicketChangeRequested(TicketCreated):
    """Its seller wants the ticket to have this title, price and currency, or to be withdrawn. Orders decides.

    The same change may be requested again under a later version.
    """

    type: ClassVar[str] = "ticket:change-requested"

    withdrawn: bool
    changeID: str


class TicketChangeDecision(Data):
    """What every decision of Orders about a requested change carries. `version` counts the ticket's decisions."""

    id: TicketID
    version: int
    changeID: str


class TicketChangeAccepted(TicketChangeDecision):
    """No order holds the ticket, and from now on it can only be ordered as changed."""

    type: ClassVar[str] = "ticket:change-accepted"


class TicketChangeDeclined(TicketChangeDecision):
    """An order holds the ticket or has bought it; nothing has changed."""

    type: ClassVar[str] = "ticket:change-declined"

    reason: Literal["held", "sold"]


class OrderedTicket(BaseModel):
    """The ticket as it was ordered; `hold` counts the changes of the ticket's hold, over all its orders."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True, hide_input_in_errors=True)

    id: TicketID
    title: str
    price: Price
    currency: str
    hold: int


class Refund(BaseModel):
    """The money of a completed order that went back to its buyer: the total so far, and when Orders recorded it."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True, hide_input_in_errors=True)

    amount: Price
    reason: Literal["refunded_at_stripe", "dispute_lost"]
    at: AwareDatetime


class OrderEvent(Data):
    """What every event of an order carries: its whole state."""

    id: OrderID
    version: int
    status: Literal["created", "awaiting:payment", "completed", "cancelled", "refunded"]
    userID: UserID
    expiresAt: AwareDatetime
    ticket: OrderedTicket
    refund: Refund | None = None


class OrderCreated(OrderEvent):
    """The ticket is held for the buyer until `expiresAt`."""

    type: ClassVar[str] = "order:created"


class OrderAwaitingPayment(OrderEvent):
    """Funds are authorised and the order will not expire any more: capture them."""

    type: ClassVar[str] = "order:awaiting-payment"


class OrderCompleted(OrderEvent):
    """Paid; the ticket is the buyer's. With a `refund`, a part of the money went back since."""

    type: ClassVar[str] = "order:completed"


class OrderRefunded(OrderEvent):
    """All the money of a completed order went back; the ticket stays sold."""

    type: ClassVar[str] = "order:refunded"

    refund: Refund


class OrderCancelled(OrderEvent):
    """The order has ended without a sale, and the ticket is free."""

    type: ClassVar[str] = "order:cancelled"

    reason: Literal["cancelled_by_buyer", "expired", "payment_failed"]


class ExpirationCompleted(Data):
    """The order's deadline has passed."""

    type: ClassVar[str] = "expiration:completed"

    orderId: OrderID
    userID: UserID


class PaymentEvent(Data):
    """What every event of a payment carries."""

    id: PaymentID
    version: int
    orderId: OrderID
    userID: UserID
    stripeId: str


class PaymentAuthorized(PaymentEvent):
    """The funds are held at Stripe."""

    type: ClassVar[str] = "payment:authorized"


class PaymentCreated(PaymentEvent):
    """The money is captured."""

    type: ClassVar[str] = "payment:created"


class PaymentFailed(PaymentEvent):
    """Capture was asked for and is impossible for good."""

    type: ClassVar[str] = "payment:failed"

    reason: str


class PaymentVoided(PaymentEvent):
    """The hold on the card is released, or the PaymentIntent can take no payment any more."""

    type: ClassVar[str] = "payment:voided"

    reason: str


class PaymentPartlyRefunded(PaymentEvent):
    """A part of the captured money went back; `amountRefunded` is the total so far, in minor units."""

    type: ClassVar[str] = "payment:partly-refunded"

    reason: str
    amountRefunded: MinorUnits


class PaymentRefunded(PaymentEvent):
    """The money went back, by us, by hand at Stripe, or by a lost dispute.

    `amountRefunded` is the total in minor units; events from before it was added mean the order's whole price.
    """

    type: ClassVar[str] = "payment:refunded"

    reason: str
    amountRefunded: MinorUnits | None = None


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
        OrderRefunded,
        OrderCancelled,
        ExpirationCompleted,
        PaymentAuthorized,
        PaymentCreated,
        PaymentFailed,
        PaymentVoided,
        PaymentPartlyRefunded,
        PaymentRefunded,
    )
}


class Metadata(BaseModel):
    """An event's own id, when it was told, its schema's version, and what led to it."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True, hide_input_in_errors=True)

    id: str
    time: AwareDatetime
    version: int = 1
    correlationId: str
    causationId: str


class Event[D: Data](BaseModel):
    """One event as it travels."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True, hide_input_in_errors=True)

    metadata: Metadata
    data: D


def tell(data: Data) -> dict[str, Any]:
    """The event in the form in which an item carries it and the relay publishes it: id, type, detail as JSON."""
    ident = new_id()
    trace = current_trace() or Trace(correlation_id=ident, causation_id=ident)
    metadata = Metadata(id=ident, time=clock.now(), correlationId=trace.correlation_id, causationId=trace.causation_id)
    detail = f'{{"metadata":{metadata.model_dump_json()},"data":{data.model_dump_json(exclude_none=True)}}}'
    return {"id": ident, "type": data.type, "detail": detail}


class UnknownEvent(ValueError):
    """No contract has this event type."""


def parse(event_type: str, detail: Mapping[str, Any]) -> Event[Any]:
    """The typed event of an EventBridge `detail`.

    Raises UnknownEvent for a type without a contract, pydantic's ValidationError for a detail that breaks it.
    """
    if event_type not in CONTRACTS:
        raise UnknownEvent(event_type)
    return Event(
        metadata=Metadata.model_validate(detail.get("metadata")),
        data=CONTRACTS[event_type].model_validate(detail.get("data")),
    )
