"""The Orders table: orders under their buyer, and the copies of tickets with their holds.

    pk user#<userID>      sk order#<orderID>     an order; outbox entry: its latest event
    pk ticket#<ticketID>  sk ticket              the copy of a ticket with its hold and the latest decision about a
                                                 change; outbox entry: that decision

An order and its hold change in one transaction, so the ticket always names the order that has it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime

from functions.orders.order import Decision, Hold, Order, OrderedTicket, Status, Ticket
from shared import clock, events, refunds
from shared.ids import OrderID, TicketID, UserID, partition
from shared.pagination import Page, decode_cursor, page_of
from shared.table import ConditionFailed, Item, Put, Table, Update, Write

LISTING = "orders"
OPEN_PARTITIONS = 8  # of the index of open orders; enough for 8,000 new orders a second

_EVENTS: dict[Status, type[events.OrderEvent]] = {
    Status.CREATED: events.OrderCreated,
    Status.AWAITING_PAYMENT: events.OrderAwaitingPayment,
    Status.COMPLETED: events.OrderCompleted,
    Status.CANCELLED: events.OrderCancelled,
    Status.REFUNDED: events.OrderRefunded,
}


class HoldConflict(Exception):
    """Another write preceded this one to the ticket or the lapsed order. `ticket` is the current copy, if known."""

    def __init__(self, ticket: Ticket | None) -> None:
        super().__init__("the ticket's hold has changed")
        self.ticket = ticket


class VersionConflict(Exception):
    """Another write to the order preceded this one."""


class OrderStore:
    """Reads and writes orders and the copies of tickets. `also` is one more write for the transaction."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def ticket(self, ticket_id: TicketID, *, consistent: bool = False) -> Ticket | None:
        """Return the copy of a ticket, or None.

        An eventually consistent read is sufficient for placing an order, since its write is conditional.
        """
        item = self.table.get(_ticket_key(ticket_id), consistent=consistent)
        return _to_ticket(item) if item else None

    def order(self, user_id: UserID, order_id: OrderID) -> Order | None:
        """Return a user's order, or None, by a consistent read."""
        item = self.table.get(_order_key(user_id, order_id), consistent=True)
        return _to_order(item) if item else None

    def orders(self, user_id: UserID, *, limit: int, cursor: str | None) -> Page[Order]:
        """Return a page of a user's orders, newest first. Raises BadCursor."""
        after = (
            f"order#{decode_cursor(LISTING, cursor)}" if cursor is not None else "order$"
        )  # "$" sorts directly after "#"
        items = self.table.query(
            "pk = :pk AND sk BETWEEN :first AND :after",
            newest_first=True,
            page_size=limit + 2,
            pk=f"user#{user_id}",
            first="order#",
            after=after,
        )
        found = (_to_order(item) for item in items if item["sk"] != after)
        return page_of(found, listing=LISTING, limit=limit, ident=lambda order: order.id)

    def place(self, order: Order, ticket: Ticket, lapsed: Order | None, also: Write | None) -> None:
        """Hold the ticket and create the order; in a takeover, cancel the lapsed order too. One transaction.

        Conditions: the ticket has the hold version, title and price of `ticket` and is not withdrawn; the order's id is
        new; the lapsed order has the version that was read. Raises HoldConflict.
        """
        hold = Update(
            key=_ticket_key(ticket.id),
            change="SET holdOrderID = :order, holdUserID = :user, holdExpiresAt = :deadline, holdNumber = :next",
            condition="holdNumber = :number AND title = :title AND price = :price AND withdrawn = :no",
            values={
                "order": order.id,
                "user": order.user_id,
                "deadline": clock.to_millis(order.expires_at),
                "next": order.ticket.hold,
                "number": ticket.hold_version,
                "title": ticket.title,
                "price": ticket.price,
                "no": False,
            },
        )
        create = Put(item=_to_item(order), condition="attribute_not_exists(pk)")
        ended = lapsed.expire() if lapsed else None
        end = _replace(ended, lapsed) if lapsed and ended else None
        try:
            self.table.write(hold, create, end, also)
        except ConditionFailed as refused:
            raise HoldConflict(_to_ticket(refused.items[0]) if refused.items[0] else None) from None

    def advance(self, before: Order, after: Order, also: Write | None = None) -> None:
        """Write the order's next state, and its hold if the hold version changes. One transaction.

        Conditions: the order has the version that was read, and therefore that status; this order holds the ticket, so
        that an older order can never release the hold of a newer one. Raises VersionConflict.
        """
        hold = _hold(after) if after.ticket.hold != before.ticket.hold else None
        try:
            self.table.write(_replace(after, before), hold, also)
        except ConditionFailed:
            raise VersionConflict from None

    def decide(self, before: Ticket | None, after: Ticket, lapsed: Order | None) -> None:
        """Write the copy with the decision about a change and publish it; cancel the lapsed order too. One transaction.

        Conditions: the copy has the hold version, ticket version and decision number that were read, or does not exist
        if `before` is None; the lapsed order has the version that was read. So no order can be placed or change its
        state in between. Raises HoldConflict.
        """
        decision = after.decision
        assert decision  # noqa: S101  # for the types
        change = (
            "SET id = :id, sellerID = :seller, title = :title, price = :price, currency = :currency,"
            " withdrawn = :withdrawn, ticketVersion = :version, holdNumber = :next, decidedChangeID = :change,"
            " decidedVersion = :decided, decisionNumber = :decision, #event = :event"
        )
        values = {
            "id": after.id,
            "seller": after.seller_id,
            "title": after.title,
            "price": after.price,
            "currency": after.currency,
            "withdrawn": after.withdrawn,
            "version": after.version,
            "next": after.hold_version,
            "change": decision.change_id,
            "decided": decision.version,
            "decision": decision.number,
            "event": events.outbox_entry(_to_decision(after.id, decision)),
        }
        if decision.reason:
            change, values = f"{change}, declinedFor = :reason", values | {"reason": decision.reason}
        else:
            change += " REMOVE declinedFor" + ("" if after.hold else f", {_HOLD}")
        if before is None:
            condition = "attribute_not_exists(pk)"
        else:
            condition = "ticketVersion = :seen AND holdNumber = :number AND "
            values |= {"seen": before.version, "number": before.hold_version}
            if before.decision:
                condition += "decisionNumber = :last"
                values["last"] = before.decision.number
            else:
                condition += "attribute_not_exists(decisionNumber)"
        ended = lapsed.expire() if lapsed else None
        end = _replace(ended, lapsed) if lapsed and ended else None
        try:
            self.table.write(Update(key=_ticket_key(after.id), change=change, condition=condition, values=values), end)
        except ConditionFailed:
            raise HoldConflict(None) from None

    def keep_ticket(self, data: events.TicketCreated | events.TicketUpdated) -> None:
        """Copy the seller's content of a ticket from an event.

        Condition: the copy does not exist or has an older ticket version; otherwise writes nothing. An edit or
        withdrawal normally changes nothing here, since Orders has accepted it before. It matters if the change took
        effect without Orders: published by the release before a deployment, or by `make republish` to a restored table.
        """
        withdrawn = isinstance(data, events.TicketUpdated) and data.status == "withdrawn"
        try:
            self.table.write(
                Update(
                    key=_ticket_key(data.id),
                    change="SET id = :id, sellerID = :seller, title = :title, price = :price, currency = :currency,"
                    " withdrawn = :withdrawn, ticketVersion = :version, holdNumber = if_not_exists(holdNumber, :zero)",
                    condition="attribute_not_exists(pk) OR ticketVersion < :version",
                    values={
                        "id": data.id,
                        "seller": data.userID,
                        "title": data.title,
                        "price": data.price,
                        "currency": data.currency,
                        "withdrawn": withdrawn,
                        "version": data.version,
                        "zero": 0,
                    },
                )
            )
        except ConditionFailed:
            return

    def overdue(self, deadline: datetime) -> Iterator[tuple[UserID, OrderID]]:
        """Iterate over the `created` orders whose deadline is before the given instant."""
        for number in range(OPEN_PARTITIONS):
            items: Iterable[Item] = self.table.query(
                "openPartition = :partition AND expiresAt < :deadline",
                index="open",
                partition=str(number),
                deadline=clock.to_millis(deadline),
            )
            for item in items:
                yield UserID(item["pk"].removeprefix("user#")), OrderID(item["sk"].removeprefix("order#"))


_HOLD = "holdOrderID, holdUserID, holdExpiresAt"


def _hold(order: Order) -> Update:
    """Return the update of the hold for the order's new status. Condition: this order holds the ticket."""
    change, values = "SET holdNumber = :number", {"number": order.ticket.hold, "order": order.id}
    match order.status:
        case Status.AWAITING_PAYMENT:
            change += " REMOVE holdExpiresAt"
        case Status.COMPLETED | Status.REFUNDED:
            change, values = f"{change}, sold = :yes REMOVE holdExpiresAt", values | {"yes": True}
        case Status.CANCELLED:
            change += f" REMOVE {_HOLD}"
        case Status.CREATED:
            raise ValueError("no transition leads to created")
    return Update(key=_ticket_key(order.ticket.id), change=change, condition="holdOrderID = :order", values=values)


def _replace(after: Order, before: Order) -> Put:
    return Put(item=_to_item(after), condition="version = :version", values={"version": before.version})


def _ticket_key(ticket_id: TicketID) -> dict[str, str]:
    return {"pk": f"ticket#{ticket_id}", "sk": "ticket"}


def _order_key(user_id: UserID, order_id: OrderID) -> dict[str, str]:
    return {"pk": f"user#{user_id}", "sk": f"order#{order_id}"}


def _to_ticket(item: Item) -> Ticket:
    deadline = item.get("holdExpiresAt")
    hold = (
        Hold(
            order_id=OrderID(item["holdOrderID"]),
            user_id=UserID(item["holdUserID"]),
            expires_at=clock.from_millis(deadline) if deadline is not None else None,
        )
        if "holdOrderID" in item
        else None
    )
    return Ticket(
        id=item["id"],
        seller_id=item["sellerID"],
        title=item["title"],
        price=item["price"],
        currency=item["currency"],
        withdrawn=item["withdrawn"],
        sold=item.get("sold", False),
        hold=hold,
        hold_version=item["holdNumber"],
        version=item["ticketVersion"],
        decision=Decision(
            change_id=item["decidedChangeID"],
            number=item["decisionNumber"],
            version=item["decidedVersion"],
            reason=item.get("declinedFor"),
        )
        if "decisionNumber" in item
        else None,
    )


def _to_item(order: Order) -> Item:
    ticket = order.ticket
    return _order_key(order.user_id, order.id) | {
        "id": order.id,
        "userID": order.user_id,
        "status": order.status,
        "expiresAt": clock.to_millis(order.expires_at),
        "ticketID": ticket.id,
        "title": ticket.title,
        "price": ticket.price,
        "currency": ticket.currency,
        "hold": ticket.hold,
        "version": order.version,
        "createdAt": clock.to_millis(order.created_at),
        "reason": order.reason,
        "refund": refunds.to_attribute(order.refund),
        "openPartition": partition(order.id, OPEN_PARTITIONS) if order.status is Status.CREATED else None,
        "event": events.outbox_entry(_to_event(order)),
    }


def _to_order(item: Item) -> Order:
    return Order(
        id=item["id"],
        user_id=item["userID"],
        status=Status(item["status"]),
        expires_at=clock.from_millis(item["expiresAt"]),
        ticket=OrderedTicket(
            id=item["ticketID"],
            title=item["title"],
            price=item["price"],
            currency=item["currency"],
            hold=item["hold"],
        ),
        version=item["version"],
        created_at=clock.from_millis(item["createdAt"]),
        reason=item.get("reason"),
        refund=refunds.from_attribute(item.get("refund")),
    )


def _to_decision(ticket_id: TicketID, decision: Decision) -> events.TicketChangeDecision:
    said = {"id": ticket_id, "version": decision.number, "changeID": decision.change_id}
    if decision.reason:
        return events.TicketChangeDeclined.model_validate(said | {"reason": decision.reason})
    return events.TicketChangeAccepted.model_validate(said)


def _to_event(order: Order) -> events.OrderEvent:
    ticket = order.ticket
    return _EVENTS[order.status].model_validate(
        {
            "id": order.id,
            "version": order.version,
            "status": order.status,
            "userID": order.user_id,
            "expiresAt": order.expires_at,
            "reason": order.reason,
            "refund": order.refund and asdict(order.refund),
            "ticket": {
                "id": ticket.id,
                "title": ticket.title,
                "price": ticket.price,
                "currency": ticket.currency,
                "hold": ticket.hold,
            },
        }
    )
