"""The Tickets table: one item a ticket, with the last event that it told.

    pk ticket#<id>
    index on-sale      onSalePartition, id     the tickets that are neither sold nor withdrawn
    index by-seller    userID, id              a seller's tickets

Every write puts the whole item, on condition that it has the version that was read.
"""

import heapq
from collections.abc import Iterator
from datetime import datetime

from functions.tickets.ticket import Change, Content, Decision, Hold, PendingChange, Status, Ticket
from shared import clock, events, refunds
from shared.ids import OrderID, TicketID, UserID, partition
from shared.pages import DEFAULT_LIMIT, Page, decode_cursor, encode_cursor, page_of
from shared.table import Item, Put, Refused, Table, Write

ON_SALE = "on-sale"
MINE = "mine"

# A key of the index takes 1,000 writes a second, so four take the 4,000 that a fresh on-demand table takes, and a flash
# sale's reservations are not slowed by their listing. Each more costs every listing one more query.
ON_SALE_PARTITIONS = 4

# Tickets that one request for the list looks at. Where thousands in a row are reserved it hands over a short page and
# the cursor to go on from, after about half a second, in place of reading until it times out.
MOST_LOOKED_AT = 1000

_NEWEST = "~"  # sorts behind every id


class TicketChanged(Exception):
    """Somebody else's write to the ticket came first."""


class TicketStore:
    """What Tickets keeps."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def ticket(self, ticket_id: TicketID) -> Ticket | None:
        """A ticket, by a consistent read."""
        item = self.table.get(_key(ticket_id), consistent=True)
        return _to_ticket(item) if item else None

    def on_sale(self, now: datetime, *, limit: int, cursor: str | None) -> Page[Ticket]:
        """The tickets on sale at this instant, newest first. Raises BadCursor.

        Reserved ones are passed over by the clock, and the page filled with those that follow; see MOST_LOOKED_AT.
        """
        found: list[Ticket] = []
        last_id = ""
        for looked_at, ticket in enumerate(self._unsold(_after(ON_SALE, cursor), page_size=max(limit, DEFAULT_LIMIT))):
            is_on_sale = ticket.status(now) is Status.AVAILABLE
            if looked_at == MOST_LOOKED_AT or (is_on_sale and len(found) == limit):
                return Page(tuple(found), encode_cursor(ON_SALE, last_id))
            if is_on_sale:
                found.append(ticket)
            last_id = ticket.id
        return Page(tuple(found), None)

    def of_seller(self, seller_id: UserID, *, limit: int, cursor: str | None) -> Page[Ticket]:
        """All that a user sells, sold or has withdrawn, newest first. Raises BadCursor."""
        items = self.table.query(
            "userID = :seller AND id < :after",
            index="by-seller",
            newest_first=True,
            page_size=limit + 1,
            seller=seller_id,
            after=_after(MINE, cursor),
        )
        return page_of(map(_to_ticket, items), listing=MINE, limit=limit, ident=lambda ticket: ticket.id)

    def insert(self, ticket: Ticket, also: Write | None = None) -> None:
        """Keep a new ticket. Condition: its id is new. Raises TicketChanged."""
        told = events.tell(events.TicketCreated.model_validate(_to_data(ticket)))
        self._put(Put(item=_to_item(ticket) | {"event": told}, condition="attribute_not_exists(pk)"), also)

    def replace(self, before: Ticket, after: Ticket, change: Change) -> None:
        """Write the ticket's next state and publish it. Condition: it is as it was read. Raises TicketChanged."""
        now = clock.now()
        said = {"status": after.status(now), "change": change, "orderID": after.order_id(now)}
        self._replace(before, after, events.TicketUpdated.model_validate(_to_data(after) | said))

    def request(self, before: Ticket, after: Ticket) -> None:
        """Keep the pending change and publish the request. Condition: it is as it was read. Raises TicketChanged."""
        assert after.pending  # noqa: S101  # for the types
        wanted = _to_content(after.pending.content) | {"changeID": after.pending.id}
        self._replace(before, after, events.TicketChangeRequested.model_validate(_to_data(after) | wanted))

    def _replace(self, before: Ticket, after: Ticket, data: events.Data) -> None:
        self._put(
            Put(
                item=_to_item(after) | {"event": events.tell(data)},
                condition="version = :before",
                values={"before": before.version},
            )
        )

    def _put(self, put: Put, also: Write | None = None) -> None:
        try:
            self.table.write(put, also)
        except Refused:
            raise TicketChanged from None

    def _unsold(self, after: str, *, page_size: int) -> Iterator[Ticket]:
        """The tickets neither sold nor withdrawn, newest first, over all partitions, read as they are consumed."""
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
    is_listed = ticket.sold_at is None and ticket.withdrawn_at is None
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
        "holdNumber": ticket.hold_number,
        "soldAt": _to_millis(ticket.sold_at),
        "refund": refunds.to_attribute(ticket.refund),
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
        hold_number=item.get("holdNumber", 0),  # not in the indexes: only a write needs it, and starts from the table
        sold_at=_from_millis(item.get("soldAt")),
        refund=refunds.from_attribute(item.get("refund")),
        withdrawn_at=_from_millis(item.get("withdrawnAt")),
        edited_version=item.get("editedVersion", 1),  # nor are this and the decisions
        pending=_from_pending(item["pending"]) if "pending" in item else None,
        decisions=tuple(
            Decision(change_id=change_id, version=decision["version"], reason=decision.get("reason"))
            for change_id, decision in sorted(item.get("decisions", {}).items(), key=lambda entry: entry[1]["version"])
        ),
    )


def _to_pending(pending: PendingChange) -> Item:
    return _to_content(pending.content) | {"id": pending.id, "requestedAt": clock.to_millis(pending.requested_at)}


def _from_pending(item: Item) -> PendingChange:
    return PendingChange(
        id=item["id"],
        content=Content(
            title=item["title"], price=item["price"], currency=item["currency"], withdrawn=item["withdrawn"]
        ),
        requested_at=clock.from_millis(item["requestedAt"]),
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
