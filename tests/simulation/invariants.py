"""The invariants: after every step, and at rest.

Guarantees: (1) one sale, (2) no charge without a ticket, (3) no ticket stuck, (4) at-least-once delivery suffices, (5)
every change is published, (6) no access without authorisation, (7) no hoarding,
(8) no card testing.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from shared import clock
from stripe_emulator import StripeAccount

type Item = dict[str, Any]


class Database(Protocol):
    """The tables of a stack."""

    @property
    def published_versions(self) -> Mapping[tuple[str, str], list[int]]:
        """The versions that each aggregate has published, in order, by table and id."""

    @property
    def streams(self) -> Mapping[str, Sequence[object]]:
        """The stream records that no relay has read yet, by table."""

    def items(self, name: str) -> list[Item]:
        """All items of a table."""


class Queue(Protocol):
    """A queue that a function consumes."""

    @property
    def messages(self) -> Sequence[object]:
        """The messages that wait."""


class Mail(Protocol):
    """A mail that was sent: its recipient, its class in `functions.auth.mails.kinds`, and the path of its link."""

    @property
    def to(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def page(self) -> str: ...


class Cloud(Protocol):
    """A stack as the invariants see it: simulated, or deployed."""

    @property
    def database(self) -> Database:
        """Its tables."""

    @property
    def queues(self) -> Mapping[str, Queue]:
        """Its queues."""

    @property
    def holds_per_buyer(self) -> int:
        """The number of unpaid orders that one buyer may have."""

    @property
    def email_verification(self) -> str:
        """Whether users must verify their address: `required`, `optional` or `unavailable`."""

    @property
    def timers(self) -> Collection[object]:
        """The timers of orders that have not fired."""

    def table(self, service: str) -> str:
        """The name of a service's table."""


class InvariantViolation(BaseException):
    """An invariant does not hold; the text names it and the object. Not caught by a handler's `except Exception`."""


RETURNING = ("cancelled", "refunding", "refunded")
"""The statuses of orders whose money is to go back, or has."""

NO_SKEW = timedelta()

type Content = tuple[str, str, bool]
"""A ticket's title and price, and whether it is withdrawn."""


@dataclass
class SellersChanges:
    """The sellers' changes observed so far, and the orders placed before each of them.

    `accepted` is the content of each ticket in Orders, `in_force` the version and content in Tickets; `placed` is the
    content of the ticket when each order was placed. An order is `outdated` once its ticket's content has changed.
    """

    accepted: dict[str, Content] = field(default_factory=dict)
    in_force: dict[str, tuple[int, Content]] = field(default_factory=dict)
    placed: dict[str, Content] = field(default_factory=dict)
    outdated: set[str] = field(default_factory=set)


def check_after_step(
    cloud: Cloud,
    stripe: StripeAccount,
    changes: SellersChanges | None,
    *,
    by_hand: Set[str],
    skew: timedelta = NO_SKEW,
) -> None:
    """Check the invariants that must hold at every instant. Raises InvariantViolation.

    `changes` is None if the stack was not observed after every step. `by_hand` holds the PaymentIntents that an
    operator has changed at Stripe. `skew` is how far the clock of a function may be off.
    """
    orders, tickets = orders_and_tickets(cloud)
    _one_live_order_a_ticket(orders)
    _nothing_expires_early(orders, skew)
    _each_hold_is_its_orders(orders, tickets)
    _no_buyer_holds_too_many(orders, limit=cloud.holds_per_buyer)
    _no_buyer_holds_too_long(orders)
    if changes:
        _no_change_is_overruled(cloud, orders, tickets, changes)
    _one_user_an_address(cloud)
    _a_deleted_user_has_nothing_open(cloud, orders)
    if cloud.email_verification == "required":
        _only_verified_users_trade(cloud, orders)
    _no_money_without_a_ticket(orders, stripe, by_hand)
    _no_refund_without_a_decision(orders, stripe, by_hand)
    _a_sale_is_at_the_price_of_its_order(orders, stripe, by_hand)
    _a_refund_counts_when_the_money_has_gone(orders, stripe)
    _no_cards_are_tested(stripe)
    _every_version_is_published_once_and_in_order(cloud)


def check_at_rest(
    cloud: Cloud, stripe: StripeAccount, changes: SellersChanges | None, *, by_hand: Set[str], lost_messages: int
) -> None:
    """Check that nothing is unsettled once no event is left; after a lost message, only that money is settled.

    Raises InvariantViolation.
    """
    check_after_step(cloud, stripe, changes, by_hand=by_hand)
    orders, copies = orders_and_tickets(cloud)
    _every_order_has_ended(cloud, orders, stripe)
    _money_is_where_the_orders_say(cloud, orders, stripe)
    _what_stripe_did_is_recorded(cloud, stripe)
    _nothing_is_done_twice(cloud)
    _nothing_waits(cloud)
    if not lost_messages:
        _replicas_equal_their_source(cloud, orders, copies)
        _payments_agree(cloud, stripe, orders)


def check_no_mail_is_sent_twice(cloud: Cloud, mails: Collection[Mail]) -> None:
    """Guarantee 4, for mails about orders. Only a failure between sending and recording may repeat one."""
    orders, _ = orders_and_tickets(cloud)
    unsold = ("created", "awaiting:payment", "cancelled")
    sales = Counter(f"/tickets/{order['ticketID']}" for order in orders.values() if order["status"] not in unsold)
    for (page, kind), number in Counter((mail.page, mail.kind) for mail in mails).items():
        if kind in ("OrderCompleted", "OrderNotPaid"):
            _require(number == 1, f"{number} mails {kind} were sent about {page}")
        elif kind == "TicketSold":
            _require(number <= sales[page], f"{number} mails {kind} were sent about {page}")


def check_sales_are_mailed(cloud: Cloud, mails: Collection[Mail]) -> None:
    """At rest, without a lost message: the buyer and the seller of each order that stands were mailed."""
    orders, tickets = orders_and_tickets(cloud)
    items = cloud.database.items(cloud.table("auth"))
    addresses = {item["id"]: item["email"] for item in items if item["pk"].startswith("user#")}
    sent = {(mail.to, mail.kind, mail.page) for mail in mails}
    for order in orders.values():
        if order["status"] != "completed" or order.get("refund"):
            continue
        seller = tickets[order["ticketID"]]["sellerID"]
        for user, kind, page in (
            (order["userID"], "OrderCompleted", f"/orders/{order['id']}"),
            (seller, "TicketSold", f"/tickets/{order['ticketID']}"),
        ):
            if user not in addresses:
                continue  # erased since
            _require((addresses[user], kind, page) in sent, f"{kind} of order {order['id']} was not mailed to {user}")


def orders_and_tickets(cloud: Cloud) -> tuple[dict[str, Item], dict[str, Item]]:
    """The orders and the copies of tickets in Orders' table, by id."""
    items = cloud.database.items(cloud.table("orders"))
    orders = {item["id"]: item for item in items if item.get("sk", "").startswith("order#")}
    tickets = {item["id"]: item for item in items if item["pk"].startswith("ticket#")}
    return orders, tickets


def is_live(order: Item) -> bool:
    """Whether the order is created and before its deadline, awaits payment, or is completed and not refunded yet."""
    return order["status"] in ("awaiting:payment", "completed", "refunding") or (
        order["status"] == "created" and clock.to_millis(clock.now()) < order["expiresAt"]
    )


def _one_live_order_a_ticket(orders: dict[str, Item]) -> None:
    """Guarantee 1."""
    live = Counter(order["ticketID"] for order in orders.values() if is_live(order))
    for ticket, number in live.items():
        _require(number == 1, f"ticket {ticket} has {number} live orders")


def _nothing_expires_early(orders: dict[str, Item], skew: timedelta) -> None:
    """An order keeps its hold until the deadline, as the function that ended it has read its clock."""
    now = clock.to_millis(clock.now() + skew)
    for order in orders.values():
        early = order.get("reason") == "expired" and now < order["expiresAt"]
        _require(not early, f"order {order['id']} has expired before its deadline")


def _no_buyer_holds_too_many(orders: dict[str, Item], *, limit: int) -> None:
    """Guarantee 7: the unpaid orders of a buyer that were live when the latest of them was placed."""
    unpaid: defaultdict[str, list[Item]] = defaultdict(list)
    for order in orders.values():
        if order["status"] == "created":
            unpaid[order["userID"]].append(order)
    for buyer, placed in unpaid.items():
        latest = max(order["createdAt"] for order in placed)
        number = sum(latest < order["expiresAt"] for order in placed)
        _require(number <= limit, f"buyer {buyer} holds {number} tickets")


def _no_buyer_holds_too_long(orders: dict[str, Item]) -> None:
    """Guarantee 7: a buyer's orders for one ticket end with one window, or one window lies between them.

    An order that was being paid may have been forgotten by the record of the buyer's holds.
    """
    window = max((order["expiresAt"] - order["createdAt"] for order in orders.values()), default=0)
    earlier: dict[tuple[str, str], Item] = {}
    for order in sorted(orders.values(), key=lambda order: (order["createdAt"], order["id"])):
        last = earlier.get((order["userID"], order["ticketID"]))
        if last and last["status"] != "refunded" and last.get("reason") != "payment_failed":
            same = order["expiresAt"] == last["expiresAt"] and order["createdAt"] < last["expiresAt"]
            waited = order["createdAt"] >= last["expiresAt"] + window
            _require(same or waited, f"the buyer of order {last['id']} took its ticket again with {order['id']}")
        earlier[order["userID"], order["ticketID"]] = order


def _each_hold_is_its_orders(orders: dict[str, Item], tickets: dict[str, Item]) -> None:
    """Guarantees 1 and 3: an order with a claim has the hold, and a hold names an order with a claim."""
    for order in orders.values():
        if order["status"] not in ("cancelled", "refunded"):
            holder = tickets[order["ticketID"]].get("holdOrderID")
            _require(holder == order["id"], f"order {order['id']} is {order['status']}, but {holder} has the hold")
    for ticket in tickets.values():
        if "holdOrderID" in ticket:
            holder = orders[ticket["holdOrderID"]]
            lasts = holder["status"] in ("awaiting:payment", "completed", "refunding")
            has_ended = holder["status"] in ("cancelled", "refunded")
            _require(not has_ended, f"ticket {ticket['id']} is held by {holder['id']}, which is {holder['status']}")
            _require(lasts != ("holdExpiresAt" in ticket), f"the hold of ticket {ticket['id']} has the wrong deadline")


def _no_change_is_overruled(
    cloud: Cloud, orders: dict[str, Item], copies: dict[str, Item], changes: SellersChanges
) -> None:
    """Guarantee 1: an order is placed for its ticket's current content in Orders, and ends with the next change of it.

    A change counts once Orders has accepted it, and once it is in force in Tickets, which is before the seller's
    request can succeed. From then on all earlier orders are cancelled for good, or refunded: a refund withdraws the
    ticket.
    """
    for ident, copy in copies.items():
        content = copy["title"], copy["price"], copy["withdrawn"]
        if changes.accepted.get(ident, content) != content:
            changes.outdated |= {order for order in changes.placed if orders[order]["ticketID"] == ident}
        changes.accepted[ident] = content
    for ident, order in orders.items():
        if ident not in changes.placed:
            title, price, withdrawn = changes.placed[ident] = changes.accepted[order["ticketID"]]
            _require(not withdrawn, f"order {ident} was placed for a ticket that Orders knew as withdrawn")
            _require(order["price"] == price, f"order {ident} has the price {order['price']}, Orders knew {price}")
            _require(order["title"] == title, f"order {ident} is not for the ticket as it is")
    for offer in _offers(cloud).values():
        ident, version = offer["id"], offer["editedVersion"]
        content = offer["title"], offer["price"], "withdrawnAt" in offer
        if changes.in_force.get(ident, (version, content))[0] != version:
            changes.outdated |= {
                order for order, was in changes.placed.items() if orders[order]["ticketID"] == ident and was != content
            }
        changes.in_force[ident] = version, content
    for ident in changes.outdated:
        status = orders[ident]["status"]
        has_ended = status in ("cancelled", "refunded")
        _require(has_ended, f"order {ident} is {status}, and its ticket was changed after it was placed")


def check_after_capture(cloud: Cloud, order_id: str) -> None:
    """Guarantee 2: an order whose payment is captured does not wait for its deadline to be cancelled."""
    order = orders_and_tickets(cloud)[0].get(order_id, {})
    _require(order.get("status") != "created", f"order {order_id} has captured money and is still created")


def _no_money_without_a_ticket(orders: dict[str, Item], stripe: StripeAccount, by_hand: Set[str]) -> None:
    """Guarantee 2: we capture money only for an order that owns its ticket for good."""
    for intent in intents(stripe):
        if intent["status"] == "succeeded" and not _went_back(intent) and intent["id"] not in by_hand:
            order = orders[intent["metadata"]["orderID"]]
            if order["status"] == "refunded" and intent["refunds"] and intent["refunds"][-1]["status"] == "failed":
                continue  # it had succeeded when Orders recorded it: a known limit
            _require(
                order["status"] in ("awaiting:payment", "completed", "refunding"),
                f"{intent['id']} is captured and order {order['id']} is {order['status']}",
            )


def _no_refund_without_a_decision(orders: dict[str, Item], stripe: StripeAccount, by_hand: Set[str]) -> None:
    """Guarantee 2: we return the money of an order only if Orders has decided that."""
    for intent in intents(stripe):
        if intent["refunds"] and intent["id"] not in by_hand:
            order = orders[intent["metadata"]["orderID"]]
            _require(
                order["status"] in ("cancelled", "refunding", "refunded"),
                f"{intent['id']} was refunded and order {order['id']} is {order['status']}",
            )


def _a_sale_is_at_the_price_of_its_order(orders: dict[str, Item], stripe: StripeAccount, by_hand: Set[str]) -> None:
    """Guarantee 1: the captured amount is the price that the ticket had in Orders when the order was placed."""
    for intent in intents(stripe):
        if intent["status"] == "succeeded" and intent["id"] not in by_hand:
            order = orders[intent["metadata"]["orderID"]]
            paid, price = intent["amount_received"], _in_cents(order["price"])
            _require(paid == price, f"{paid} was paid for order {order['id']}, whose price is {price}")


def _a_refund_counts_when_the_money_has_gone(orders: dict[str, Item], stripe: StripeAccount) -> None:
    """Guarantee 4: an order shows no more as refunded than Stripe or a bank has returned.

    A refund that has failed since may be included: it had succeeded before.
    """
    gone: Counter[str] = Counter()
    for intent in intents(stripe):
        failed = sum(refund["amount"] for refund in intent["refunds"] if refund["status"] == "failed")
        gone[intent["metadata"]["orderID"]] += _returned(intent) + failed
    for ident, order in orders.items():
        says = _in_cents(order.get("refund", {}).get("amount", "0.00"))
        _require(says <= gone[ident], f"order {ident} shows {says} as refunded, and {gone[ident]} has gone")


def _no_cards_are_tested(stripe: StripeAccount) -> None:
    """Guarantee 8: no more than five cards are declined for an order."""
    declined = Counter(
        charge["payment_intent"] for _, charge in stripe._tables.rows("charges") if charge["status"] == "failed"
    )
    for intent, number in declined.items():
        _require(number <= 5, f"{number} cards were declined for {intent}")


def _every_version_is_published_once_and_in_order(cloud: Cloud) -> None:
    """Guarantee 5: each published write raises the version by one, so that consumers can order events by version."""
    for (_, ident), versions in cloud.database.published_versions.items():
        _require(versions == list(range(1, len(versions) + 1)), f"{ident} has published its versions {versions}")


def _one_user_an_address(cloud: Cloud) -> None:
    """Guarantee 6: an e-mail address belongs to one user, and signing in with it leads to that user."""
    items = cloud.database.items(cloud.table("auth"))
    users = {item["email"]: item["id"] for item in items if item["pk"].startswith("user#")}
    claims = {item["email"]: item["userID"] for item in items if item["pk"].startswith("email#")}
    number = sum(item["pk"].startswith("user#") for item in items)
    _require(number == len(users) and users == claims, f"{number} users have the addresses {claims}")


def _only_verified_users_trade(cloud: Cloud, orders: dict[str, Item]) -> None:
    """Guarantee 6: whoever sells or buys has verified their address."""
    items = cloud.database.items(cloud.table("auth"))
    unverified = {item["id"] for item in items if item["pk"].startswith("user#") and not item["emailVerified"]}
    trading = {each["userID"] for each in (*orders.values(), *_offers(cloud).values())}
    _require(not trading & unverified, f"{trading & unverified} have traded without a verified address")


def _a_deleted_user_has_nothing_open(cloud: Cloud, orders: dict[str, Item]) -> None:
    """Guarantee 6: an erased user has no order that can still be paid, and no ticket that can be bought."""
    users = {item["id"] for item in cloud.database.items(cloud.table("auth")) if item["pk"].startswith("user#")}
    for order in orders.values():
        is_open = order["status"] in ("created", "awaiting:payment")
        _require(not is_open or order["userID"] in users, f"order {order['id']} is open, and its buyer is erased")
    for ident, offer in _offers(cloud).items():
        is_over = "soldAt" in offer or "withdrawnAt" in offer
        _require(is_over or offer["userID"] in users, f"ticket {ident} can be bought, and its seller is erased")


def _every_order_has_ended(cloud: Cloud, orders: dict[str, Item], stripe: StripeAccount) -> None:
    """Only a failed refund, or a bank that has not decided, keeps an order `refunding`."""
    waits = {intent["metadata"]["orderID"] for intent in intents(stripe) if _is_with_the_bank(intent)}
    waits |= set(_failed_refunds(cloud, stripe).values())
    for order in orders.values():
        has_ended = order["status"] in ("completed", "cancelled", "refunded")
        has_ended = has_ended or (order["status"] == "refunding" and order["id"] in waits)
        _require(has_ended, f"order {order['id']} is still {order['status']}")


def _money_is_where_the_orders_say(cloud: Cloud, orders: dict[str, Item], stripe: StripeAccount) -> None:
    """Guarantees 2 and 4: kept money belongs to completed orders, each is paid once, and no card is held.

    An order is refunded if and only if all its money was returned after it had completed; otherwise it records the
    amount returned. Money of a cancelled order, or of an orphan PaymentIntent, may still be in a dispute at the bank;
    after the bank's decision it cannot be refunded. A failed refund leaves the money with us, for an operator.
    """
    failed = _failed_refunds(cloud, stripe)
    recorded = {item.get("stripeID") for item in _payments(cloud).values()}
    kept: Counter[str] = Counter()
    returned: Counter[str] = Counter()
    for intent in intents(stripe):
        ident, order_id = intent["id"], intent["metadata"]["orderID"]
        _require(intent["status"] != "requires_capture", f"{ident} still holds money for order {order_id}")
        if intent["status"] != "succeeded":
            continue
        keeps = not (_went_back(intent) or _is_with_the_bank(intent))
        if ident in failed and (ident not in recorded or orders[order_id]["status"] in RETURNING):
            continue
        if ident not in recorded:
            _require(not keeps, f"{ident} keeps money and belongs to no order")
        else:
            is_owed = orders[order_id]["status"] not in ("cancelled", "refunding")
            kept[order_id] += keeps or (is_owed and not _went_back(intent))
            returned[order_id] += _returned(intent)
    completed = Counter(order["id"] for order in orders.values() if order["status"] == "completed")
    _require(+kept == completed, f"paid for are {sorted(+kept)}, completed {sorted(completed)}")
    failed_for = {failed[ident] for ident in failed}
    for ident, order in orders.items():
        if order["status"] != "cancelled" and ident not in failed_for:
            says = _in_cents(order.get("refund", {}).get("amount", "0.00"))
            _require(says == returned[ident], f"order {ident} records {says} as returned, Stripe {returned[ident]}")


def _failed_refunds(cloud: Cloud, stripe: StripeAccount) -> dict[str, str]:
    """The PaymentIntents whose refund has failed or was refused, with their orders.

    Each is recorded as such, unless it is an orphan, and none is recorded without reason.
    """
    failed = {}
    refused = {key.partition(" ")[0] for key, _ in stripe._tables.rows("refusals") if key.endswith(" refund")}
    recorded = {item["stripeID"]: item.get("refundStatus") for item in _payments(cloud).values() if "stripeID" in item}
    for intent in intents(stripe):
        ident, order_id = intent["id"], intent["metadata"]["orderID"]
        at_stripe = intent["refunds"][-1]["status"] if intent["refunds"] else None
        _require(at_stripe != "pending", f"the refund of {ident} is pending")
        if at_stripe == "failed":
            _require(recorded.get(ident, "failed") == "failed", f"the failed refund of {ident} is not recorded")
        if at_stripe == "failed" or (ident in refused and recorded.get(ident, "failed") == "failed"):
            failed[ident] = order_id
        elif ident in recorded:
            says = recorded[ident]
            _require(says is None, f"the refund of {ident} is recorded as {says}, and {at_stripe} at Stripe")
    return failed


def _what_stripe_did_is_recorded(cloud: Cloud, stripe: StripeAccount) -> None:
    """Guarantee 4: every movement of money is recorded, ours or an operator's, even if webhooks were lost."""
    recorded = {
        item["stripeID"]: (item["status"], item.get("refunded", 0))
        for item in _payments(cloud).values()
        if "stripeID" in item
    }
    failed = _failed_refunds(cloud, stripe)
    for intent in intents(stripe):
        if intent["id"] in failed:
            continue  # an earlier success of the refund may be recorded
        if intent["id"] in recorded and intent["status"] in ("succeeded", "canceled"):
            expected = {"voided", "failed"}
            if intent["status"] == "succeeded":
                expected = {"refunded"} if _went_back(intent) else {"captured"}
            status, refunded = recorded[intent["id"]]
            _require(status in expected, f"{intent['id']} is {intent['status']}, but recorded as {status}")
            went = _returned(intent)
            _require(refunded == went, f"{refunded} of {intent['id']} is recorded as refunded, at Stripe {went}")


def _nothing_is_done_twice(cloud: Cloud) -> None:
    """Guarantee 4: a ticket whose title starts with "Once, " was created under an Idempotency-Key and exists once."""
    titles = Counter(
        item["title"]
        for item in cloud.database.items(cloud.table("tickets"))
        if item.get("title", "").startswith("Once, ")
    )
    for title, number in titles.items():
        _require(number == 1, f"{number} tickets were made for {title!r}")


def _nothing_waits(cloud: Cloud) -> None:
    for name, queue in cloud.queues.items():
        _require(not queue.messages, f"{len(queue.messages)} messages wait in {name}")
    for table, records in cloud.database.streams.items():
        _require(not records, f"{len(records)} records wait in the stream of {table}")
    _require(not cloud.timers, f"{len(cloud.timers)} timers wait")


def _replicas_equal_their_source(cloud: Cloud, orders: dict[str, Item], copies: dict[str, Item]) -> None:
    """Guarantee 5: every change was published and arrived."""
    for ident, offer in _offers(cloud).items():
        _require("pending" not in offer, f"the change of ticket {ident} was never decided")
        _require(ident in copies, f"orders does not know ticket {ident}")
        copy = copies[ident]
        for name in ("title", "price", "currency"):
            _require(offer[name] == copy[name], f"{name} of ticket {ident} is {offer[name]}, in orders {copy[name]}")
        _require(("withdrawnAt" in offer) == copy["withdrawn"], f"ticket {ident} is withdrawn in one place only")
        _require(offer["holdNumber"] == copy["holdNumber"], f"tickets has not the latest hold of {ident}")
        _require(offer.get("holdOrderID") == copy.get("holdOrderID"), f"ticket {ident} is held by two")
        _require(("soldAt" in offer) == copy.get("sold", False), f"ticket {ident} is sold in one place only")
        _a_ticket_shows_its_refund(offer, [order for order in orders.values() if order["ticketID"] == ident])
        listed = "onSalePartition" in offer
        _require(listed == ("soldAt" not in offer and "withdrawnAt" not in offer), f"ticket {ident} is listed wrongly")


def _a_ticket_shows_its_refund(offer: Item, orders: Sequence[Item]) -> None:
    """A sold ticket shows what has become of its order's money; a withdrawn one shows the refund that withdrew it."""
    shown = offer.get("refund"), offer.get("refundRequest"), offer.get("refunding", False)
    expected: list[tuple[Item | None, Item | None, bool]] = [
        (order.get("refund"), order.get("refundRequest"), order["status"] == "refunding")
        for order in orders
        if order["id"] == offer.get("holdOrderID") and "soldAt" in offer
    ]
    if "soldAt" not in offer:
        expected.append((None, None, False))
    if "withdrawnAt" in offer:
        expected += [(order["refund"], None, False) for order in orders if order["status"] == "refunded"]
    _require(shown in expected, f"ticket {offer['id']} shows {shown} of its refund, not one of {expected}")


def _payments_agree(cloud: Cloud, stripe: StripeAccount, orders: dict[str, Item]) -> None:
    open_disputes = {intent["id"] for intent in intents(stripe) if _is_with_the_bank(intent)}
    payments = _payments(cloud)
    for ident, order in orders.items():
        _require(ident in payments, f"payments does not know order {ident}")
        payment = payments[ident]
        _require(
            payment["orderStatus"] == order["status"], f"order {ident} is {order['status']}, but differs in payments"
        )
        settled = "unsettledPartition" not in payment or payment["stripeID"] in open_disputes
        _require(settled, f"the payment of order {ident} is not settled")


def intents(stripe: StripeAccount) -> Iterator[dict[str, Any]]:
    """All PaymentIntents at Stripe with their latest charge, refunds and dispute; bypasses the API for speed."""
    charges = dict(stripe._tables.rows("charges"))
    disputes = {row["payment_intent"]: row for _, row in stripe._tables.rows("disputes")}
    refunds: dict[str, list[Item]] = {}
    for _, refund in stripe._tables.rows("refunds"):
        refunds.setdefault(refund["payment_intent"], []).append(refund)
    for ident, intent in stripe._tables.rows("payment_intents"):
        yield intent | {
            "latest_charge": charges.get(intent["latest_charge"]),
            "refunds": refunds.get(ident, []),
            "dispute": disputes.get(ident),
        }


def _offers(cloud: Cloud) -> dict[str, Item]:
    """The tickets in Tickets' own table, by id."""
    items = cloud.database.items(cloud.table("tickets"))
    return {item["id"]: item for item in items if item["pk"].startswith("ticket")}


def _payments(cloud: Cloud) -> dict[str, Item]:
    """Payments' items by order."""
    items = cloud.database.items(cloud.table("payments"))
    return {item["orderID"]: item for item in items if item["pk"].startswith("order#")}


def _went_back(intent: dict[str, Any]) -> bool:
    """Whether the buyer has all the money again: refunded, or by the bank's decision."""
    return bool(_returned(intent) == intent["amount_received"])


def _returned(intent: dict[str, Any]) -> int:
    """The part of the captured amount that the buyer has again."""
    if intent["status"] != "succeeded":
        return 0
    lost = intent["dispute"]["amount"] if intent["dispute"] and intent["dispute"]["status"] == "lost" else 0
    return int(sum(refund["amount"] for refund in intent["refunds"] if refund["status"] == "succeeded") + lost)


def _in_cents(price: str) -> int:
    return round(float(price) * 100)


def _is_with_the_bank(intent: dict[str, Any]) -> bool:
    return bool(intent["dispute"] and intent["dispute"]["status"] == "needs_response")


def _require(holds: bool, otherwise: str) -> None:  # reads like a sentence at the call
    if not holds:
        raise InvariantViolation(otherwise)
