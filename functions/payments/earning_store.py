"""The earnings of sellers in the Payments table: one item for each order that has completed, and one for each seller.

    pk earning#<orderID>   the earnings from an order, with their outbox entry
    pk seller#<userID>     the totals by status, and how many earnings wait or are being reversed
    index by-seller        sellerID, orderID          a seller's earnings, keys only
    index due-looks        lookPartition, lookAt      earnings that a step may be due for, and sellers who have some
                                                      that wait; those that wait have a partition for each seller

Every write of earnings changes the seller's item in the same transaction, so that the totals are their sums. It is
conditional on the revision of the earnings, or on the item's absence.
"""

import heapq
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

from functions.payments.earnings import (
    Answer,
    Earning,
    EarningStatus,
    EventType,
    Operation,
    OperationKind,
    Sale,
    event_of,
)
from functions.payments.payment import OrderStatus
from shared import clock, events
from shared.ids import OrderID, TicketID, UserID, first_id_at, partition
from shared.money import CURRENCIES, NOTHING, MinorUnits, format_amount, to_minor_units
from shared.pagination import Page, decode_cursor, page_of
from shared.table import ConditionFailed, Item, Put, Update
from shared.unit_of_work import UnitOfWork

LOOK_PARTITIONS = 8  # enough for 8,000 writes a second to the index
LISTING = "payouts"
SELLER_LOOK = timedelta(hours=1)
"""How often a seller with earnings that wait is looked at, if no webhook reports a ready account."""
FINDER = {"pk": "payout-finder"}

_NEWEST = "~"  # sorts after every id


@dataclass(frozen=True, slots=True, kw_only=True)
class Seller:
    """A seller's totals by currency and status, and how many of the earnings wait or are being reversed."""

    id: UserID
    totals: Counter[tuple[str, EarningStatus]] = field(default_factory=Counter)
    waiting: int = 0
    reversing: int = 0
    look_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DueLook:
    """A look that is due: at the earnings from an order, or at a seller with earnings that wait."""

    at: datetime
    order_id: OrderID | None = None
    seller_id: UserID | None = None


class EarningStore(UnitOfWork[None]):
    """Reads and writes earnings."""

    def earning(self, order_id: OrderID) -> Earning | None:
        """Return the earnings from an order, or None, by a consistent read."""
        item = self.table.get(_key(order_id), consistent=True)
        return _to_earning(item) if item else None

    def seller(self, seller_id: UserID) -> Seller:
        """Return a seller's totals and counts, by a consistent read."""
        item = self.table.get(_seller_key(seller_id), consistent=True) or {}
        return _to_seller(seller_id, item)

    def of_seller(self, seller_id: UserID, *, limit: int, cursor: str | None) -> Page[Earning]:
        """Return a page of a seller's earnings, those from the newest orders first. Raises BadCursor."""
        items = self.table.query(
            "sellerID = :seller AND orderID < :after",
            index="by-seller",
            newest_first=True,
            page_size=limit + 1,
            seller=seller_id,
            after=_NEWEST if cursor is None else decode_cursor(LISTING, cursor),
        )
        page = page_of((OrderID(item["orderID"]) for item in items), listing=LISTING, limit=limit, ident=str)
        return Page(tuple(map(_to_earning, self.table.get_all(map(_key, page.entries)))), page.next_cursor)

    def between(self, seller_id: UserID, since: datetime, until: datetime, *, limit: int) -> list[Earning]:
        """Return a seller's earnings from orders that were placed in this time, the oldest first, `limit` at most."""
        items = self.table.query(
            "sellerID = :seller AND orderID BETWEEN :since AND :until",
            index="by-seller",
            seller=seller_id,
            since=first_id_at(clock.to_millis(since)),
            until=first_id_at(clock.to_millis(until)),
        )
        keys = (_key(OrderID(item["orderID"])) for item in islice(items, limit))
        return list(map(_to_earning, self.table.get_all(keys)))

    def replace(self, before: Earning, after: Earning, *, unless_reversing: bool = False) -> Earning:
        """Add the next state of earnings, and return them as they will be stored.

        Condition: the item has the revision of `before`; with `unless_reversing` also: nothing is being taken back from
        the seller.
        """
        stored, earning, seller = written(before, after, unless_reversing=unless_reversing)
        self.add(earning, seller)
        return stored

    def due_looks(self, now: datetime, *, since: datetime | None, limit: int) -> list[DueLook]:
        """Return the first looks that are due by now, from an instant on. Reads the index alone."""
        since_millis = clock.to_millis(since) if since else 0
        partitions = [
            self.table.query(
                "lookPartition = :partition AND lookAt BETWEEN :since AND :now",
                index="due-looks",
                partition=str(number),
                since=since_millis,
                now=clock.to_millis(now),
            )
            for number in range(LOOK_PARTITIONS)
        ]
        return list(map(_to_look, islice(heapq.merge(*partitions, key=lambda item: int(item["lookAt"])), limit)))

    def waiting(self, seller_id: UserID, *, limit: int) -> list[OrderID]:
        """Return orders whose earnings wait for the seller's account, or for the end of a reversal."""
        entries = self.table.query(
            "lookPartition = :partition", index="due-looks", page_size=limit, partition=_waiting_partition(seller_id)
        )
        return [_order_id(entry) for entry in islice(entries, limit)]

    def look_at_seller(self, before: Seller, at: datetime | None) -> None:
        """Move the next look at a seller, or end the looks (None).

        Condition: neither the next look nor the number of earnings that wait has changed. Raises ConditionFailed.
        """
        assert before.look_at  # noqa: S101  # for the types: it is being looked at
        values = {"before": clock.to_millis(before.look_at), "waiting": before.waiting}
        self.table.write(
            Update(
                key=_seller_key(before.id),
                change="SET lookAt = :at" if at else "REMOVE lookPartition, lookAt",
                condition="lookAt = :before AND waiting = :waiting",
                values=values | ({"at": clock.to_millis(at)} if at else {}),
            )
        )

    def wake_seller(self, seller_id: UserID) -> None:
        """Let a seller be looked at at once, if earnings wait: the account may be ready."""
        try:
            self.table.write(
                Update(
                    key=_seller_key(seller_id),
                    change="SET lookPartition = :partition, lookAt = :now",
                    condition="waiting > :none",
                    values={
                        "partition": partition(seller_id, LOOK_PARTITIONS),
                        "now": clock.to_millis(clock.now()),
                        "none": 0,
                    },
                )
            )
        except ConditionFailed:
            return

    def finder_since(self) -> datetime | None:
        """Return the instant from which the finder's next run continues; None if the last one reached the newest."""
        item = self.table.get(FINDER) or {}
        return clock.from_millis(item["since"]) if "since" in item else None

    def save_finder(self, since: datetime | None) -> None:
        """Save where the finder's next run continues. Unconditional: queueing a look twice is harmless."""
        self.table.write(Put(item=FINDER | {"since": clock.to_millis(since) if since else None}))


def written(before: Earning | None, after: Earning, *, unless_reversing: bool = False) -> tuple[Earning, Put, Update]:
    """Return earnings as they will be stored, and the writes: of their item, and of the seller's totals.

    The revision rises by one; so does the version if an event is published. `before` is None for a new item. Conditions
    as in `EarningStore.replace`.
    """
    stored = replace(after, shown=after.status(clock.now()).shown)
    if before is None:
        put = Put(item=_to_item(stored), condition="attribute_not_exists(pk)")
        return stored, put, _seller_update(None, stored, unless_reversing=False)
    stored = replace(stored, revision=before.revision + 1)
    event_type = event_of(before, stored)
    if event_type:
        stored = replace(stored, version=before.version + 1)
        stored = replace(stored, last_event=events.outbox_entry(_to_event(stored, event_type)))
    outbox = {"event" if event_type else "lastEvent": stored.last_event}
    put = Put(item=_to_item(stored) | outbox, condition="#revision = :revision", values={"revision": before.revision})
    return stored, put, _seller_update(before, stored, unless_reversing=unless_reversing)


def to_sale(event: events.OrderEvent) -> Sale | None:
    """Return the sale of an order; None for an order from before the fee was part of it."""
    ticket = event.ticket
    if ticket.sellerID is None or ticket.fee is None:
        return None
    currency = CURRENCIES[ticket.currency]
    return Sale(
        order_id=event.id,
        seller_id=ticket.sellerID,
        ticket_id=ticket.id,
        title=ticket.title,
        price=to_minor_units(ticket.price, currency),
        fee=to_minor_units(ticket.fee, currency),
        currency=currency.code,
    )


def _seller_update(before: Earning | None, after: Earning, *, unless_reversing: bool) -> Update:
    """Return the change of the seller's item that goes with a change of earnings.

    A seller is looked at while earnings wait, and at once when a reversal has ended.
    """
    sums: Counter[str] = Counter({"waiting": 0, "reversing": 0})
    for earning, sign in ((before, -1), (after, 1)):
        if earning:
            sums[_total(earning.sale.currency, earning.shown)] += sign * earning.amount
            sums["waiting"] += sign * earning.waits
            sums["reversing"] += sign * earning.is_reversing()
    added = {name: number for name, number in sums.items() if number} or {"waiting": 0}
    change = "ADD " + ", ".join(f"#{name} :{name}" for name in added)
    values: dict[str, object] = dict(added)
    if sums["waiting"] > 0 or sums["reversing"] < 0:
        look_at = ":lookAt" if sums["reversing"] < 0 else "if_not_exists(lookAt, :lookAt)"
        change += f" SET lookPartition = :lookPartition, lookAt = {look_at}"
        values["lookPartition"] = partition(after.sale.seller_id, LOOK_PARTITIONS)
        values["lookAt"] = clock.to_millis(clock.now() + (timedelta() if sums["reversing"] < 0 else SELLER_LOOK))
    condition = "attribute_not_exists(reversing) OR reversing = :none" if unless_reversing else None
    return Update(
        key=_seller_key(after.sale.seller_id),
        change=change,
        condition=condition,
        values=values | ({"none": 0} if unless_reversing else {}),
    )


def _total(currency: str, status: EarningStatus) -> str:
    return f"{status}_{currency}"


def _key(order_id: OrderID) -> dict[str, str]:
    return {"pk": f"earning#{order_id}"}


def _seller_key(seller_id: UserID) -> dict[str, str]:
    return {"pk": f"seller#{seller_id}"}


def _waiting_partition(seller_id: UserID) -> str:
    return f"seller#{seller_id}"


def _order_id(entry: Item) -> OrderID:
    return OrderID(entry["pk"].removeprefix("earning#"))


def _to_look(entry: Item) -> DueLook:
    at = clock.from_millis(entry["lookAt"])
    kind, _, ident = entry["pk"].partition("#")
    return DueLook(at, seller_id=UserID(ident)) if kind == "seller" else DueLook(at, order_id=OrderID(ident))


def _to_seller(seller_id: UserID, item: Item) -> Seller:
    totals = Counter(
        {
            (currency, status): MinorUnits(item[name])
            for currency in CURRENCIES
            for status in EarningStatus
            if (name := _total(currency, status)) in item
        }
    )
    return Seller(
        id=seller_id,
        totals=totals,
        waiting=item.get("waiting", 0),
        reversing=item.get("reversing", 0),
        look_at=clock.from_millis(item["lookAt"]) if "lookAt" in item else None,
    )


def _to_item(earning: Earning) -> Item:
    sale = earning.sale
    looks = _waiting_partition(sale.seller_id) if earning.waits else partition(sale.order_id, LOOK_PARTITIONS)
    return _key(sale.order_id) | {
        "orderID": sale.order_id,
        "sellerID": sale.seller_id,
        "ticketID": sale.ticket_id,
        "title": sale.title,
        "price": sale.price,
        "fee": sale.fee,
        "currency": sale.currency,
        "orderStatus": earning.order_status,
        "orderVersion": earning.order_version,
        "orderRefunded": earning.refunded or None,
        "availableAt": clock.to_millis(earning.available_at),
        "transferred": earning.transferred or None,
        "reversed": earning.reversed or None,
        "number": earning.number,
        "operation": _to_operation_item(earning.operation) if earning.operation else None,
        "blocked": earning.is_blocked or None,
        "waits": earning.waits or None,
        "paidAt": clock.to_millis(earning.paid_at) if earning.paid_at else None,
        "lookPartition": looks if earning.look_at else None,
        "lookAt": clock.to_millis(earning.look_at) if earning.look_at else None,
        "status": earning.shown,
        "version": earning.version,
        "revision": earning.revision,
    }


def _to_operation_item(operation: Operation) -> Item:
    return {
        "kind": operation.kind,
        "number": operation.number,
        "amount": operation.amount,
        "target": operation.target,
        "leasedAt": clock.to_millis(operation.leased_at),
        "answer": operation.answer,
    }


def _to_earning(item: Item) -> Earning:
    return Earning(
        sale=Sale(
            order_id=item["orderID"],
            seller_id=item["sellerID"],
            ticket_id=TicketID(item["ticketID"]),
            title=item["title"],
            price=item["price"],
            fee=item["fee"],
            currency=item["currency"],
        ),
        order_status=OrderStatus(item["orderStatus"]),
        order_version=item["orderVersion"],
        refunded=item.get("orderRefunded", NOTHING),
        available_at=clock.from_millis(item["availableAt"]),
        transferred=item.get("transferred", NOTHING),
        reversed=item.get("reversed", NOTHING),
        number=item["number"],
        operation=_to_operation(item["operation"]) if "operation" in item else None,
        is_blocked=item.get("blocked", False),
        waits=item.get("waits", False),
        paid_at=clock.from_millis(item["paidAt"]) if "paidAt" in item else None,
        look_at=clock.from_millis(item["lookAt"]) if "lookAt" in item else None,
        shown=EarningStatus(item["status"]),
        version=item["version"],
        revision=item["revision"],
        last_event=events.last_event(item),
    )


def _to_operation(item: Item) -> Operation:
    return Operation(
        kind=OperationKind(item["kind"]),
        number=item["number"],
        amount=item["amount"],
        target=item["target"],
        leased_at=clock.from_millis(item["leasedAt"]),
        answer=Answer(item["answer"]) if "answer" in item else None,
    )


def _to_event(earning: Earning, event_type: EventType) -> events.Data:
    sale = earning.sale
    currency = CURRENCIES[sale.currency]
    amounts = {
        EventType.CREATED: earning.transferred,
        EventType.REVERSED: earning.reversed,
        EventType.BLOCKED: earning.due,
    }
    return events.CONTRACTS[event_type].model_validate(
        {
            "id": sale.order_id,
            "version": earning.version,
            "userID": sale.seller_id,
            "ticket": {"id": sale.ticket_id, "title": sale.title},
            "amount": format_amount(amounts[event_type], currency),
            "currency": sale.currency,
            "at": clock.now(),
        }
    )
