"""The Orders table: orders under their buyer, and the copies of tickets with their holds.

    pk user#<userID>      sk order#<orderID>     an order; outbox entry: its latest event
    pk ticket#<ticketID>  sk ticket              the copy of a ticket with its hold and the latest decision about a
                                                 change; outbox entry: that decision
    pk user#<userID>      sk holds               the tickets that a buyer has ordered recently; expires by TTL
    pk order#<orderID>    sk sale                the buyer and the seller of a completed order
    index open            openPartition, expiresAt    orders that are `created`
    index due             duePartition, dueAt    refunds that have not happened, and requests that nobody has answered

An order and its hold change in one transaction, so the ticket always names the order that has it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from functions.orders.buyer import RecentHolds
from functions.orders.order import Decision, Hold, HoldableTicket, HoldState, Order, OrderedTicket, OrderStatus
from shared import clock, events, refunds
from shared.ids import OrderID, TicketID, UserID, partition
from shared.pagination import Page, decode_cursor, page_of
from shared.table import ConditionFailed, Item, Put, Update
from shared.unit_of_work import UnitOfWork, VersionConflict

LISTING = "orders"
OPEN_PARTITIONS = 8  # of the index of open orders; enough for 8,000 new orders a second
DUE = "due"
"""The one partition of the index of due orders: sellers refund by hand, far below 1,000 a second."""

_EVENTS: dict[OrderStatus, type[events.OrderEvent]] = {
    OrderStatus.CREATED: events.OrderCreated,
    OrderStatus.AWAITING_PAYMENT: events.OrderAwaitingPayment,
    OrderStatus.COMPLETED: events.OrderCompleted,
    OrderStatus.CANCELLED: events.OrderCancelled,
    OrderStatus.REFUNDING: events.OrderRefundRequested,
    OrderStatus.REFUNDED: events.OrderRefunded,
}


class OrderStore(UnitOfWork[Order]):
    """Reads and writes orders and the copies of tickets."""

    def ticket(self, ticket_id: TicketID, *, consistent: bool = False) -> HoldableTicket | None:
        """Return the copy of a ticket, or None.

        An eventually consistent read is sufficient for placing an order, since its write is conditional.
        """
        item = self.table.get(_ticket_key(ticket_id), consistent=consistent)
        return _to_ticket(item) if item else None

    def order(self, user_id: UserID, order_id: OrderID) -> Order | None:
        """Return a user's order, or None, by a consistent read."""
        item = self.table.get(_order_key(user_id, order_id), consistent=True)
        return _to_order(item) if item else None

    def sale(self, seller_id: UserID, order_id: OrderID) -> Order | None:
        """Return the completed order by which the seller sold a ticket, or None, by consistent reads."""
        sale = self.table.get(_sale_key(order_id), consistent=True)
        return self.order(UserID(sale["userID"]), order_id) if sale and sale["sellerID"] == seller_id else None

    def orders(self, user_id: UserID, *, limit: int, cursor: str | None, consistent: bool = False) -> Page[Order]:
        """Return a page of a user's orders, newest first. Raises BadCursor."""
        after = (
            f"order#{decode_cursor(LISTING, cursor)}" if cursor is not None else "order$"
        )  # "$" sorts directly after "#"
        items = self.table.query(
            "pk = :pk AND sk BETWEEN :first AND :after",
            newest_first=True,
            page_size=limit + 2,
            consistent=consistent,
            pk=f"user#{user_id}",
            first="order#",
            after=after,
        )
        found = (_to_order(item) for item in items if item["sk"] != after)
        return page_of(found, listing=LISTING, limit=limit, ident=lambda order: order.id)

    def orders_since(self, user_id: UserID, instant: datetime) -> Iterator[Order]:
        """Iterate over a user's orders that were created since the instant, newest first, by consistent reads."""
        for item in self.table.query(
            "pk = :pk AND sk BETWEEN :first AND :after",
            newest_first=True,
            consistent=True,
            pk=f"user#{user_id}",
            first="order#",
            after="order$",
        ):
            order = _to_order(item)
            if order.created_at < instant:
                return
            yield order

    def recent_holds(self, user_id: UserID) -> RecentHolds:
        """Return the buyer's recent holds. The read may be stale, which is sufficient, as its write is conditional."""
        return _to_recent_holds(user_id, self.table.get(_holds_key(user_id)) or {})

    def replace_recent_holds(self, before: RecentHolds, after: RecentHolds, *, window: timedelta) -> None:
        """Add the buyer's recent holds. Condition: the record has the version of `before`, or does not exist if 0."""
        put = Put(item=_to_holds_item(after, window), condition="attribute_not_exists(pk)")
        if before.version:
            put = replace(put, condition="holdsVersion = :holds", values={"holds": before.version})
        self.add(put)

    def hold_ticket(self, before: HoldableTicket, after: HoldableTicket) -> None:
        """Add the hold of a new order.

        Condition: the ticket has the hold version, title and price of `before` and is not withdrawn. An eventually
        consistent `before` suffices. The other attributes of the copy are kept, since `before` may be stale.
        """
        assert after.hold  # noqa: S101  # for the types
        self.add(
            Update(
                key=_ticket_key(after.id),
                change="SET holdOrderID = :order, holdUserID = :user, holdExpiresAt = :deadline, holdNumber = :next",
                condition="holdNumber = :hold_version AND title = :title AND price = :price AND withdrawn = :no",
                values={
                    "order": after.hold.order_id,
                    "user": after.hold.user_id,
                    "deadline": _to_millis(after.hold.expires_at),
                    "next": after.hold_version,
                    "hold_version": before.hold_version,
                    "title": before.title,
                    "price": before.price,
                    "no": False,
                },
            )
        )

    def insert_order(self, order: Order) -> None:
        """Add a new order. Condition: its id is new."""
        self.add(Put(item=_to_item(order), condition="attribute_not_exists(pk)"))

    def record_sale(self, order: Order) -> None:
        """Add the record by which the seller of a completed order finds it; unconditional, since it never changes."""
        parties = {"userID": order.user_id, "sellerID": order.ticket.seller_id}
        self.add(Put(item=_sale_key(order.id) | parties))

    def replace_order(self, before: Order, after: Order) -> None:
        """Add the order's next state. Condition: the order has the version of `before`, and therefore its status."""
        self.add(Put(item=_to_item(after), condition="version = :version", values={"version": before.version}))

    def change_hold(self, order: Order) -> None:
        """Add the new state of the order's hold.

        Condition: this order holds the ticket, so that an older order can never release the hold of a newer one.
        """
        self.add(
            Update(
                key=_ticket_key(order.ticket.id),
                change=_HOLD_CHANGES[order.hold_state],
                condition="holdOrderID = :order",
                values={"hold_version": order.ticket.hold_version, "order": order.id}
                | ({"yes": True} if order.hold_state in (HoldState.SOLD, HoldState.RETURNED) else {}),
            )
        )

    def replace_ticket(self, before: HoldableTicket | None, after: HoldableTicket) -> None:
        """Add the copy of a ticket with its latest decision, and publish the decision.

        Condition: the copy has the hold version, ticket version and decision number of `before`, or does not exist if
        `before` is None. So no order can be placed or change its state in between.
        """
        assert after.decision  # noqa: S101  # for the types
        entry = events.outbox_entry(_to_decision_event(after.id, after.decision))
        put = Put(item=_to_ticket_item(after) | {"event": entry}, condition="attribute_not_exists(pk)")
        if before:
            condition = "ticketVersion = :version AND holdNumber = :hold_version AND "
            values = {"version": before.version, "hold_version": before.hold_version}
            if before.decision:
                condition += "decisionNumber = :decision"
                values["decision"] = before.decision.number
            else:
                condition += "attribute_not_exists(decisionNumber)"
            put = replace(put, condition=condition, values=values)
        self.add(put)

    @staticmethod
    def ticket_in(conflict: VersionConflict) -> HoldableTicket | None:
        """Return the current copy of the ticket if the condition of `hold_ticket`, added first, did not hold."""
        item = conflict.items[0] if conflict.items else None
        return _to_ticket(item) if item else None

    @staticmethod
    def recent_holds_in(conflict: VersionConflict, user_id: UserID) -> RecentHolds | None:
        """Return the current recent holds if the condition of `replace_recent_holds`, added second, did not hold."""
        item = conflict.items[1] if len(conflict.items) > 1 else None
        return None if item is None else _to_recent_holds(user_id, item)

    def keep_ticket(self, data: events.TicketCreated | events.TicketUpdated) -> None:
        """Copy the seller's content of a ticket from an event.

        Condition: the copy does not exist or has an older ticket version; otherwise writes nothing. An edit or
        withdrawal normally changes nothing here, since Orders has accepted it before. It matters if the change took
        effect without Orders: published by the release before a deployment, or by `make republish` to a restored table.
        A withdrawal is permanent: the status may be `reserved` although the ticket is withdrawn, since Tickets may not
        have received yet that an order has ended.
        """
        is_withdrawn = isinstance(data, events.TicketUpdated) and "withdrawn" in (data.status, data.change)
        withdrawn = ":withdrawn" if is_withdrawn else "if_not_exists(withdrawn, :withdrawn)"
        try:
            self.table.write(
                Update(
                    key=_ticket_key(data.id),
                    change="SET id = :id, sellerID = :seller, title = :title, price = :price, currency = :currency,"
                    f" withdrawn = {withdrawn}, ticketVersion = :version,"
                    " holdNumber = if_not_exists(holdNumber, :zero)",
                    condition="attribute_not_exists(pk) OR ticketVersion < :version",
                    values={
                        "id": data.id,
                        "seller": data.userID,
                        "title": data.title,
                        "price": data.price,
                        "currency": data.currency,
                        "withdrawn": is_withdrawn,
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
            yield from map(_ids, items)

    def due(self, now: datetime) -> Iterator[tuple[UserID, OrderID]]:
        """Iterate over the orders with a refund or a request for one that the sweep has to look at."""
        entries = self.table.query(
            "duePartition = :partition AND dueAt <= :now", index="due", partition=DUE, now=clock.to_millis(now)
        )
        return map(_ids, entries)


_HOLD_CHANGES = {
    HoldState.UNTIL_PAID: "SET holdNumber = :hold_version REMOVE holdExpiresAt",
    HoldState.SOLD: "SET holdNumber = :hold_version, sold = :yes REMOVE holdExpiresAt",
    HoldState.RELEASED: "SET holdNumber = :hold_version REMOVE holdOrderID, holdUserID, holdExpiresAt",
    HoldState.RETURNED: "SET holdNumber = :hold_version, withdrawn = :yes"
    " REMOVE holdOrderID, holdUserID, holdExpiresAt, sold",
}
"""Update expressions of the hold. No transition leads to `UNTIL_DEADLINE`."""


def _ids(entry: Item) -> tuple[UserID, OrderID]:
    """Return the buyer and the order of an entry of an index."""
    return UserID(entry["pk"].removeprefix("user#")), OrderID(entry["sk"].removeprefix("order#"))


def _ticket_key(ticket_id: TicketID) -> dict[str, str]:
    return {"pk": f"ticket#{ticket_id}", "sk": "ticket"}


def _order_key(user_id: UserID, order_id: OrderID) -> dict[str, str]:
    return {"pk": f"user#{user_id}", "sk": f"order#{order_id}"}


def _sale_key(order_id: OrderID) -> dict[str, str]:
    return {"pk": f"order#{order_id}", "sk": "sale"}


def _holds_key(user_id: UserID) -> dict[str, str]:
    return {"pk": f"user#{user_id}", "sk": "holds"}


def _to_holds_item(holds: RecentHolds, window: timedelta) -> Item:
    return _holds_key(holds.user_id) | {
        "windows": {ticket_id: clock.to_millis(end) for ticket_id, end in holds.windows.items()},
        "holdsVersion": holds.version,
        "ttl": int((max(holds.windows.values()) + window).timestamp()) + 1,
    }


def _to_recent_holds(user_id: UserID, item: Item) -> RecentHolds:
    windows = {TicketID(ticket_id): clock.from_millis(end) for ticket_id, end in item.get("windows", {}).items()}
    return RecentHolds(user_id=user_id, windows=windows, version=item.get("holdsVersion", 0))


def _to_ticket_item(ticket: HoldableTicket) -> Item:
    hold, decision = ticket.hold, ticket.decision
    return _ticket_key(ticket.id) | {
        "id": ticket.id,
        "sellerID": ticket.seller_id,
        "title": ticket.title,
        "price": ticket.price,
        "currency": ticket.currency,
        "withdrawn": ticket.withdrawn,
        "ticketVersion": ticket.version,
        "holdNumber": ticket.hold_version,
        "holdOrderID": hold.order_id if hold else None,
        "holdUserID": hold.user_id if hold else None,
        "holdExpiresAt": _to_millis(hold.expires_at) if hold else None,
        "sold": ticket.sold or None,
        "decidedChangeID": decision.change_id if decision else None,
        "decidedVersion": decision.version if decision else None,
        "decisionNumber": decision.number if decision else None,
        "declinedFor": decision.reason if decision else None,
    }


def _to_ticket(item: Item) -> HoldableTicket:
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
    return HoldableTicket(
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
        "hold": ticket.hold_version,
        "sellerID": ticket.seller_id,
        "fee": ticket.fee,
        "version": order.version,
        "createdAt": clock.to_millis(order.created_at),
        "reason": order.reason,
        "refund": refunds.to_attribute(order.refund),
        "refundRequest": refunds.request_to_attribute(order.refund_request),
        "refundDecision": refunds.decision_to_attribute(order.refund_decision),
        "duePartition": DUE if order.due_at else None,
        "dueAt": _to_millis(order.due_at),
        "openPartition": partition(order.id, OPEN_PARTITIONS) if order.status is OrderStatus.CREATED else None,
        "event": events.outbox_entry(_to_event(order)),
    }


def _to_order(item: Item) -> Order:
    return Order(
        id=item["id"],
        user_id=item["userID"],
        status=OrderStatus(item["status"]),
        expires_at=clock.from_millis(item["expiresAt"]),
        ticket=OrderedTicket(
            id=item["ticketID"],
            title=item["title"],
            price=item["price"],
            currency=item["currency"],
            hold_version=item["hold"],
            seller_id=item.get("sellerID"),
            fee=item.get("fee"),
        ),
        version=item["version"],
        created_at=clock.from_millis(item["createdAt"]),
        reason=item.get("reason"),
        refund=refunds.from_attribute(item.get("refund")),
        refund_request=refunds.request_from_attribute(item.get("refundRequest")),
        refund_decision=refunds.decision_from_attribute(item.get("refundDecision")),
        due_at=clock.from_millis(item["dueAt"]) if "dueAt" in item else None,
    )


def _to_millis(instant: datetime | None) -> int | None:
    return None if instant is None else clock.to_millis(instant)


def _to_decision_event(ticket_id: TicketID, decision: Decision) -> events.TicketChangeDecision:
    fields = {"id": ticket_id, "version": decision.number, "changeID": decision.change_id}
    if decision.reason:
        return events.TicketChangeDeclined.model_validate(fields | {"reason": decision.reason})
    return events.TicketChangeAccepted.model_validate(fields)


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
            "refundRequest": order.refund_request and asdict(order.refund_request),
            "refundDecision": order.refund_decision and asdict(order.refund_decision),
            "ticket": {
                "id": ticket.id,
                "title": ticket.title,
                "price": ticket.price,
                "currency": ticket.currency,
                "hold": ticket.hold_version,
                "sellerID": ticket.seller_id,
                "fee": ticket.fee,
            },
        }
    )
