"""The Tickets table: one item per ticket, with its latest event as the outbox entry.

    pk ticket#<id>
    index on-sale      onSalePartition, id     tickets that are neither sold, nor being paid for, nor withdrawn
    index by-seller    userID, id              a seller's tickets, keys only

Every write replaces the whole item, on condition that it has the version and the hold version that were read.
"""

import heapq
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime

from functions.tickets.ticket import Change, Content, Decision, Hold, PendingChange, Ticket, TicketStatus
from shared import clock, events, refunds
from shared.ids import OrderID, TicketID, UserID, partition
from shared.pagination import DEFAULT_LIMIT, Page, decode_cursor, encode_cursor, page_of
from shared.table import Item, Put
from shared.unit_of_work import UnitOfWork

ON_SALE = "on-sale"
MINE = "mine"

# One partition key of the index supports 1,000 writes a second. Four support the 4,000 of a new on-demand table, so the
# index does not throttle the reservations of a flash sale. Each partition costs every listing one query.
ON_SALE_PARTITIONS = 4

# Maximum number of tickets that one request of the listing reads. If thousands of consecutive tickets are reserved, it
# returns a short page with a cursor after about half a second, rather than reading until the timeout.
MAX_SCANNED = 1000

_NEWEST = "~"  # sorts after every id


class TicketStore(UnitOfWork[Ticket]):
    """Reads and writes tickets."""

    def ticket(self, ticket_id: TicketID) -> Ticket | None:
        """Return a ticket, or None, by a consistent read."""
        item = self.table.get(_key(ticket_id), consistent=True)
        return _to_ticket(item) if item else None

    def on_sale(self, now: datetime, *, limit: int, cursor: str | None) -> Page[Ticket]:
        """Return a page of the tickets on sale at `now`, newest first. Raises BadCursor.

        Skips tickets that are reserved at `now` and fills the page with those that follow; see MAX_SCANNED.
        """
        found: list[Ticket] = []
        last_id = ""
        for looked_at, ticket in enumerate(self._unsold(_after(ON_SALE, cursor), page_size=max(limit, DEFAULT_LIMIT))):
            is_on_sale = ticket.status(now) is TicketStatus.AVAILABLE
            if looked_at == MAX_SCANNED or (is_on_sale and len(found) == limit):
                return Page(tuple(found), encode_cursor(ON_SALE, last_id))
            if is_on_sale:
                found.append(ticket)
            last_id = ticket.id
        return Page(tuple(found), None)

    def of_seller(self, seller_id: UserID, *, limit: int, cursor: str | None) -> Page[Ticket]:
        """Return a page of a seller's tickets in any status, newest first. Raises BadCursor."""
        items = self.table.query(
            "userID = :seller AND id < :after",
            index="by-seller",
            newest_first=True,
            page_size=limit + 1,
            seller=seller_id,
            after=_after(MINE, cursor),
        )
        page = page_of((TicketID(item["id"]) for item in items), listing=MINE, limit=limit, ident=str)
        return Page(tuple(map(_to_ticket, self.table.get_all(map(_key, page.entries)))), page.next_cursor)

    def insert(self, ticket: Ticket) -> None:
        """Add a new ticket and publish it. Condition: its id is new."""
        entry = events.outbox_entry(events.TicketCreated.model_validate(_to_data(ticket)))
        self.add(Put(item=_to_item(ticket) | {"event": entry}, condition="attribute_not_exists(pk)"))

    def replace(self, before: Ticket, after: Ticket, change: Change | None) -> None:
        """Add the ticket's next state and publish the change, if there is one.

        Condition: the ticket has the version and the hold version of `before`.
        """
        if change is None:
            self._replace(before, after, {"lastEvent": after.last_event})
            return
        now = clock.now()
        order_id = after.order_id(now) or (before.order_id(now) if change == "refunded" else None)
        fields = {
            "status": after.status(now),
            "change": change,
            "orderID": order_id,
            "refund": after.refund and asdict(after.refund),
            "refundRequest": after.refund_request and asdict(after.refund_request),
        }
        data = events.TicketUpdated.model_validate(_to_data(after) | fields)
        self._replace(before, after, {"event": events.outbox_entry(data)})

    def request(self, before: Ticket, after: Ticket) -> None:
        """Add the pending change and publish the request. Condition: as in `replace`."""
        assert after.pending  # noqa: S101  # for the types
        fields = _to_content(after.pending.content) | {"changeID": after.pending.id}
        if after.pending.relisted:
            fields["relisted"] = True
        data = events.TicketChangeRequested.model_validate(_to_data(after) | fields)
        self._replace(before, after, {"event": events.outbox_entry(data)})

    def _replace(self, before: Ticket, after: Ticket, outbox: Item) -> None:
        self.add(
            Put(
                item=_to_item(after) | outbox,
                condition="version = :before AND holdNumber = :hold_before",
                values={"before": before.version, "hold_before": before.hold_version},
            )
        )

    def _unsold(self, after: str, *, page_size: int) -> Iterator[Ticket]:
        """Iterate lazily over the tickets neither sold nor withdrawn, newest first, merged from all partitions."""
        partitions = [
            self.table.query(
                "onSalePartition = :partition AND id < :after",
                index="on-sale",
                newest_first=True,
                page_size=page_size,
                partition=str(number),
                after=after,
            )
            for number in range(ON_SALE_PARTITIONS)
        ]
        return map(_to_ticket, heapq.merge(*partitions, key=lambda item: str(item["id"]), reverse=True))


def _after(listing: str, cursor: str | None) -> str:
    return _NEWEST if cursor is None else decode_cursor(listing, cursor)


def _key(ticket_id: TicketID) -> dict[str, str]:
    return {"pk": f"ticket#{ticket_id}"}


def _to_item(ticket: Ticket) -> Item:
    hold = ticket.hold
    is_being_paid = hold is not None and hold.expires_at is None  # nobody else can have it before that has ended
    is_listed = ticket.sold_at is None and ticket.withdrawn_at is None and not is_being_paid
    return _key(ticket.id) | {
        "id": ticket.id,
        "userID": ticket.seller_id,
        "title": ticket.title,
        "price": ticket.price,
        "currency": ticket.currency,
        "version": ticket.version,
        "createdAt": clock.to_millis(ticket.created_at),
        "holdOrderID": hold.order_id if hold else None,
        "holdExpiresAt": _to_millis(hold.expires_at if hold else None),
        "holdNumber": ticket.hold_version,
        "soldAt": _to_millis(ticket.sold_at),
        "refund": refunds.to_attribute(ticket.refund),
        "refunding": ticket.refunding or None,
        "refundRequest": refunds.request_to_attribute(ticket.refund_request),
        "withdrawnAt": _to_millis(ticket.withdrawn_at),
        "editedVersion": ticket.edited_version,
        "pending": _to_pending(ticket.pending) if ticket.pending else None,
        "decisions": {
            decision.change_id: {"version": decision.version, "reason": decision.reason}
            for decision in ticket.decisions
        }
        or None,
        "onSalePartition": partition(ticket.id, ON_SALE_PARTITIONS) if is_listed else None,
    }


def _to_ticket(item: Item) -> Ticket:
    hold = (
        Hold(order_id=OrderID(item["holdOrderID"]), expires_at=_from_millis(item.get("holdExpiresAt")))
        if "holdOrderID" in item
        else None
    )
    return Ticket(
        id=item["id"],
        seller_id=item["userID"],
        title=item["title"],
        price=item["price"],
        currency=item["currency"],
        version=item["version"],
        created_at=clock.from_millis(item["createdAt"]),
        hold=hold,
        hold_version=item.get("holdNumber", 0),  # not in the index: only writes need it, and they read the table
        sold_at=_from_millis(item.get("soldAt")),
        refund=refunds.from_attribute(item.get("refund")),
        refunding=item.get("refunding", False),
        refund_request=refunds.request_from_attribute(item.get("refundRequest")),
        withdrawn_at=_from_millis(item.get("withdrawnAt")),
        edited_version=item.get("editedVersion", 1),  # not in the index; nor are the decisions
        pending=_from_pending(item["pending"]) if "pending" in item else None,
        decisions=tuple(
            Decision(change_id=change_id, version=decision["version"], reason=decision.get("reason"))
            for change_id, decision in sorted(item.get("decisions", {}).items(), key=lambda entry: entry[1]["version"])
        ),
        last_event=events.last_event(item),
    )


def _to_pending(pending: PendingChange) -> Item:
    stored = _to_content(pending.content) | {"id": pending.id, "requestedAt": clock.to_millis(pending.requested_at)}
    return stored | ({"relisted": True} if pending.relisted else {})


def _from_pending(item: Item) -> PendingChange:
    return PendingChange(
        id=item["id"],
        content=Content(
            title=item["title"], price=item["price"], currency=item["currency"], withdrawn=item["withdrawn"]
        ),
        requested_at=clock.from_millis(item["requestedAt"]),
        relisted=item.get("relisted", False),
    )


def _to_content(content: Content) -> Item:
    return {
        "title": content.title,
        "price": content.price,
        "currency": content.currency,
        "withdrawn": content.withdrawn,
    }


def _to_data(ticket: Ticket) -> Item:
    return {
        "id": ticket.id,
        "version": ticket.version,
        "title": ticket.title,
        "price": ticket.price,
        "currency": ticket.currency,
        "userID": ticket.seller_id,
    }


def _to_millis(instant: datetime | None) -> int | None:
    return None if instant is None else clock.to_millis(instant)


def _from_millis(millis: int | None) -> datetime | None:
    return None if millis is None else clock.from_millis(millis)
