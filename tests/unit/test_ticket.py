"""A ticket's status, its seller's changes, and how it follows its orders."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.tickets.ticket import (
    KEPT_DECISIONS,
    REPUBLISH_AFTER,
    Change,
    Content,
    Decision,
    DeclineReason,
    EditOutdated,
    Hold,
    NotRefunded,
    NotYours,
    PendingChange,
    Ticket,
    TicketError,
    TicketHeld,
    TicketSold,
    TicketStatus,
    parse_title,
)
from shared.ids import OrderID, TicketID, UserID
from shared.money import Price
from shared.refunds import Refund, RefundRequest
from shared.text import BadText

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DEADLINE = NOW + timedelta(minutes=5)
MOMENT = timedelta(milliseconds=1)

SELLER = UserID("seller")
ORDER = OrderID("order")
UNTIL_DEADLINE = Hold(order_id=ORDER, expires_at=DEADLINE)
UNTIL_PAID = Hold(order_id=ORDER, expires_at=None)

TICKET = Ticket(
    id=TicketID("ticket"),
    seller_id=SELLER,
    title="A seat",
    price=Price("12.50"),
    currency="usd",
    version=1,
    created_at=NOW,
)
WITHDRAWN = replace(TICKET, withdrawn_at=NOW)
RESERVED = replace(TICKET, hold=UNTIL_DEADLINE, hold_version=1)
SOLD = replace(TICKET, hold=UNTIL_PAID, hold_version=3, sold_at=NOW)


TWO_SEATS = Content(title="Two seats", price=Price("30.00"), currency="usd", withdrawn=False)


def request(
    ticket: Ticket,
    content: Content = TWO_SEATS,
    *,
    change_id: str = "change",
    based_on: int | None = None,
    now: datetime = NOW,
) -> Ticket | None:
    return ticket.request(change_id, content, based_on=based_on, now=now)


def requested(ticket: Ticket, content: Content = TWO_SEATS, *, change_id: str = "change") -> Ticket:
    after = request(ticket, content, change_id=change_id)
    assert after
    return after


def applied(ticket: Ticket, *, change_id: str = "change", now: datetime = NOW) -> tuple[Ticket, Change]:
    after = ticket.apply(change_id, now=now)
    assert after
    return after


def declined(ticket: Ticket, reason: DeclineReason) -> tuple[Ticket, Change]:
    after = ticket.decline("change", reason)
    assert after
    return after


@pytest.mark.parametrize(
    ("ticket", "status"),
    [
        (TICKET, TicketStatus.AVAILABLE),
        (WITHDRAWN, TicketStatus.WITHDRAWN),
        (RESERVED, TicketStatus.RESERVED),
        (replace(WITHDRAWN, hold=UNTIL_DEADLINE), TicketStatus.RESERVED),
        (replace(WITHDRAWN, hold=UNTIL_PAID), TicketStatus.RESERVED),
        (SOLD, TicketStatus.SOLD),
        (replace(SOLD, withdrawn_at=NOW), TicketStatus.SOLD),
    ],
)
def test_sold_precedes_reserved_precedes_withdrawn(ticket: Ticket, status: TicketStatus) -> None:
    assert ticket.status(NOW) is status


def test_a_hold_ends_at_its_deadline_by_the_clock() -> None:
    assert RESERVED.status(DEADLINE - MOMENT) is TicketStatus.RESERVED
    assert RESERVED.status(DEADLINE) is TicketStatus.AVAILABLE


def test_a_withdrawn_ticket_with_a_lapsed_hold_is_withdrawn() -> None:
    assert replace(WITHDRAWN, hold=UNTIL_DEADLINE).status(DEADLINE) is TicketStatus.WITHDRAWN


def test_a_hold_without_a_deadline_does_not_lapse() -> None:
    assert replace(TICKET, hold=UNTIL_PAID).status(NOW + timedelta(days=365)) is TicketStatus.RESERVED


def test_a_lapsed_hold_shows_no_order() -> None:
    assert RESERVED.order_id(DEADLINE - MOMENT) == ORDER
    assert RESERVED.order_id(DEADLINE) is None


def test_a_sold_ticket_shows_its_order() -> None:
    assert SOLD.order_id(NOW) == ORDER


def test_a_change_request_changes_only_the_pending_change() -> None:
    pending = PendingChange(id="change", content=TWO_SEATS, requested_at=NOW)

    assert request(TICKET) == replace(TICKET, version=2, pending=pending)


def test_an_accepted_edit_applies_under_a_new_version() -> None:
    decided = (Decision(change_id="change", version=3, reason=None),)

    assert requested(TICKET).apply("change", now=NOW) == (
        replace(
            TICKET,
            title="Two seats",
            price=Price("30.00"),
            version=3,
            edited_version=3,
            pending=None,
            decisions=decided,
        ),
        "edited",
    )


def test_an_accepted_withdrawal_applies_at_its_decision() -> None:
    after, change = applied(requested(TICKET, TICKET.withdrawn()), now=DEADLINE)

    assert (after.withdrawn_at, after.status(DEADLINE), change) == (DEADLINE, TicketStatus.WITHDRAWN, "withdrawn")
    assert (after.title, after.price, after.edited_version) == (TICKET.title, TICKET.price, after.version)


def test_an_edit_uses_the_currency_of_the_stage() -> None:
    edit = TICKET.edited(title="A seat", price=Price("500"), currency="jpy")
    after, _ = applied(requested(TICKET, edit))

    assert (after.price, after.currency) == ("500", "jpy")


def test_an_edited_ticket_keeps_its_withdrawal_time() -> None:
    after, change = applied(
        requested(WITHDRAWN, WITHDRAWN.edited(title="Two seats", price=Price("30.00"), currency="usd")), now=DEADLINE
    )

    assert (after.status(NOW), after.withdrawn_at, change) == (TicketStatus.WITHDRAWN, NOW, "edited")


def test_a_declined_change_leaves_the_ticket_unchanged() -> None:
    after, change = declined(requested(TICKET), "held")

    assert change == "declined"
    assert (after.content, after.version, after.edited_version, after.pending) == (TICKET.content, 3, 1, None)


@pytest.mark.parametrize(("reason", "error"), [("held", TicketHeld), ("sold", TicketSold)])
def test_a_declined_change_has_its_own_error(reason: DeclineReason, error: type[TicketError]) -> None:
    after, _ = declined(requested(TICKET), reason)
    decision = after.decision("change")

    assert decision
    with pytest.raises(error):
        decision.check_accepted()


def test_a_decision_on_another_or_decided_change_is_ignored() -> None:
    for ticket in (TICKET, requested(TICKET), applied(requested(TICKET))[0]):
        for change_id in ("another",) if ticket.pending else ("another", "change"):
            assert ticket.apply(change_id, now=NOW) is None
            assert ticket.decline(change_id, "held") is None


def test_a_change_is_applied_whatever_holds_the_ticket() -> None:
    held = replace(requested(TICKET), hold=UNTIL_PAID, hold_version=2)
    after, _ = applied(held)

    assert (after.content, after.hold, after.hold_version) == (TWO_SEATS, UNTIL_PAID, 2)


def test_only_the_latest_decisions_are_kept() -> None:
    ticket = TICKET
    for number in range(KEPT_DECISIONS + 1):
        ticket, _ = applied(requested(ticket, change_id=f"change {number}"), change_id=f"change {number}")

    assert ticket.decision("change 0") is None
    assert [decision.change_id for decision in ticket.decisions] == [
        f"change {number}" for number in range(1, KEPT_DECISIONS + 1)
    ]


def test_only_the_seller_changes_a_ticket() -> None:
    TICKET.check_seller(SELLER)
    with pytest.raises(NotYours):
        TICKET.check_seller(UserID("another"))


def test_a_held_ticket_cannot_be_changed() -> None:
    for ticket in (RESERVED, replace(TICKET, hold=UNTIL_PAID)):
        with pytest.raises(TicketHeld):
            request(ticket)


def test_a_sold_ticket_cannot_be_changed() -> None:
    for ticket in (SOLD, replace(SOLD, withdrawn_at=NOW)):
        with pytest.raises(TicketSold):
            request(ticket)


def test_a_lapsed_hold_allows_a_change_and_is_kept() -> None:
    after = request(RESERVED, now=DEADLINE)

    assert after
    assert after.pending
    assert (after.hold, after.hold_version) == (RESERVED.hold, RESERVED.hold_version)


def test_one_change_is_pending_at_a_time() -> None:
    assert request(requested(TICKET), change_id="another") is None


def test_a_retry_is_recognised_by_its_id_or_content() -> None:
    pending = requested(TICKET).pending

    assert pending
    assert pending.is_for("change", TICKET.content)
    assert pending.is_for("another", TWO_SEATS)
    assert not pending.is_for("another", TICKET.content)


def test_a_pending_change_is_requested_again_after_seconds() -> None:
    pending = requested(TICKET)
    later = NOW + REPUBLISH_AFTER

    assert TICKET.request_again(now=later) is None
    assert pending.request_again(now=later - MOMENT) is None
    again = pending.request_again(now=later)
    assert again
    assert again.pending
    assert (again.version, again.pending.id, again.pending.requested_at) == (3, "change", later)


EDITED_AT_3 = replace(TICKET, version=5, edited_version=3)


@pytest.mark.parametrize("based_on", [None, 3, 4, 5])
def test_an_edit_may_be_based_on_any_version_with_this_content(based_on: int | None) -> None:
    assert request(EDITED_AT_3, based_on=based_on)


@pytest.mark.parametrize("based_on", [1, 2, 6])
def test_an_edit_based_on_older_content_is_outdated(based_on: int) -> None:
    """An edit based on a version that the ticket never had is outdated, too."""
    with pytest.raises(EditOutdated):
        request(EDITED_AT_3, based_on=based_on)


def test_an_edit_to_the_content_in_force_is_never_outdated() -> None:
    assert request(EDITED_AT_3, EDITED_AT_3.content, based_on=1)


def test_a_withdrawn_ticket_needs_no_second_withdrawal() -> None:
    """This holds even if an order has the ticket."""
    for ticket in (WITHDRAWN, replace(WITHDRAWN, hold=UNTIL_DEADLINE)):
        assert ticket.is_withdrawn_as(ticket.withdrawn())
    for ticket in (TICKET, replace(SOLD, withdrawn_at=NOW)):
        assert not ticket.is_withdrawn_as(ticket.withdrawn())


def test_an_order_reserves_until_its_deadline() -> None:
    assert TICKET.reserve(UNTIL_DEADLINE, hold_version=1, now=NOW) == (replace(RESERVED, version=2), "reserved")


def test_a_reservation_that_loses_its_deadline_publishes_nothing() -> None:
    after = replace(RESERVED, hold=UNTIL_PAID, hold_version=2)
    assert RESERVED.reserve(UNTIL_PAID, hold_version=2, now=NOW) == (after, None)


def test_a_reservation_is_published_if_the_ticket_was_not_reserved() -> None:
    """Its first event is late, or its deadline has passed."""
    after = replace(RESERVED, hold=UNTIL_PAID, hold_version=2, version=2)
    assert TICKET.reserve(UNTIL_PAID, hold_version=2, now=NOW) == (replace(after), "reserved")
    assert RESERVED.reserve(UNTIL_PAID, hold_version=2, now=DEADLINE) == (after, "reserved")
    other = replace(RESERVED, hold=replace(UNTIL_DEADLINE, order_id=OrderID("other")))
    assert other.reserve(UNTIL_PAID, hold_version=2, now=NOW) == (after, "reserved")


def test_a_completed_order_sells() -> None:
    assert RESERVED.sell(ORDER, hold_version=3, now=NOW) == (replace(SOLD, version=2), "sold")


REFUND = Refund(amount=Price("12.50"), reason="refunded_by_seller", at=NOW)
ASKED = RefundRequest(reason="I am ill", at=NOW)


def returned(ticket: Ticket = SOLD) -> Ticket:
    result = ticket.take_back(REFUND, hold_version=ticket.hold_version + 1, now=NOW)
    assert result
    return result[0]


def test_the_seller_sees_what_happens_to_a_sale() -> None:
    ticket, changes = SOLD, []
    for version, news in enumerate(
        ({"request": ASKED}, {"request": ASKED, "refunding": True}, {"refunding": True, "refund": REFUND}), start=4
    ):
        result = ticket.sell(ORDER, hold_version=version, now=DEADLINE, **news)  # type: ignore[arg-type]  # as listed
        assert result
        ticket, change = result
        changes.append(change)
        assert (ticket.status(NOW), ticket.sold_at) == (TicketStatus.SOLD, SOLD.sold_at)

    assert changes == ["refund-requested", "refunding", "refunded"]


def test_a_request_that_arrives_before_the_sale_sells() -> None:
    result = RESERVED.sell(ORDER, hold_version=4, now=NOW, request=ASKED)

    assert result
    assert (result[0].refund_request, result[1]) == (ASKED, "sold")


def test_a_full_refund_withdraws_the_ticket() -> None:
    before = replace(SOLD, refunding=True, refund_request=ASKED)

    assert before.take_back(REFUND, hold_version=4, now=DEADLINE) == (
        replace(
            SOLD,
            version=SOLD.version + 1,
            hold=None,
            hold_version=4,
            sold_at=None,
            refund=REFUND,
            withdrawn_at=DEADLINE,
        ),
        "refunded",
    )
    assert before.take_back(REFUND, hold_version=3, now=DEADLINE) is None


def test_a_refunded_ticket_is_relisted_when_orders_accepts() -> None:
    ticket = returned()
    pending = requested(ticket, ticket.relisted())
    assert (pending.status(NOW), pending.is_over) == (TicketStatus.WITHDRAWN, False)

    after, change = applied(pending)

    assert change == "relisted"
    assert (after.status(NOW), after.refund, after.withdrawn_at) == (TicketStatus.AVAILABLE, None, None)


@pytest.mark.parametrize("ticket", [TICKET, WITHDRAWN, SOLD, replace(SOLD, refund=REFUND)])
def test_only_a_refunded_ticket_can_be_relisted(ticket: Ticket) -> None:
    with pytest.raises(NotRefunded):
        ticket.relisted()


def test_an_edit_from_before_the_refund_does_not_relist() -> None:
    """Its decision was delayed; the ticket was bought and refunded meanwhile."""
    edited = replace(requested(TICKET), sold_at=NOW, hold=UNTIL_PAID, hold_version=3)
    after, change = applied(returned(edited))

    assert (after.status(NOW), after.content.title, change) == (TicketStatus.WITHDRAWN, "Two seats", "edited")


def test_a_second_refund_overtakes_the_decision_about_relisting() -> None:
    """The order that was refunded can only exist because the relisting was accepted."""
    pending = requested(returned(), returned().relisted())
    after = returned(pending)

    assert after.decision("change") == Decision(change_id="change", version=after.version, reason=None)
    assert (after.version, after.pending) == (pending.version + 1, None)
    assert after.apply("change", now=NOW) is None
    assert after.status(NOW) is TicketStatus.WITHDRAWN


def test_a_cancelled_order_frees() -> None:
    assert RESERVED.free(hold_version=2) == (replace(TICKET, version=2, hold_version=2), "freed")


def test_a_creation_after_its_cancellation_is_ignored() -> None:
    freed = TICKET.free(hold_version=2)
    assert freed
    assert freed[0].hold is None
    assert freed[0].reserve(UNTIL_DEADLINE, hold_version=1, now=NOW) is None


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_events_with_an_older_or_equal_hold_version_are_ignored(number: int) -> None:
    for ticket in (SOLD, replace(RESERVED, hold_version=3)):
        assert ticket.reserve(UNTIL_DEADLINE, hold_version=number, now=NOW) is None
        assert ticket.sell(ORDER, hold_version=number, now=NOW) is None
        assert ticket.free(hold_version=number) is None


type News = tuple[str, int]


def follow(ticket: Ticket, news: News) -> Ticket:
    """Return the ticket after an order event, outdated or not."""
    word, number = news
    match word:
        case "created":
            change = ticket.reserve(
                Hold(order_id=OrderID(f"order-{number}"), expires_at=DEADLINE), hold_version=number, now=NOW
            )
        case "awaiting:payment":
            change = ticket.reserve(
                Hold(order_id=OrderID(f"order-{number}"), expires_at=None), hold_version=number, now=NOW
            )
        case "completed":
            change = ticket.sell(OrderID(f"order-{number}"), hold_version=number, now=NOW)
        case _:
            change = ticket.free(hold_version=number)
    return change[0] if change else ticket


@given(
    words=st.lists(st.sampled_from(["created", "awaiting:payment", "cancelled"]), min_size=1, max_size=6),
    data=st.data(),
)
def test_the_last_change_decides_in_any_order_with_duplicates(words: list[str], data: st.DataObject) -> None:
    sequence: list[News] = [(word, number) for number, word in enumerate(words, start=1)]
    heard = data.draw(st.permutations(sequence + data.draw(st.lists(st.sampled_from(sequence)))))
    ticket = TICKET
    for news in heard:
        ticket = follow(ticket, news)

    last = follow(TICKET, sequence[-1])
    assert (ticket.hold, ticket.hold_version) == (last.hold, last.hold_version)


@pytest.mark.parametrize(
    ("text", "title"),
    [("A seat", "A seat"), ("  A  seat ", "A  seat"), ("\u00a0A seat\u3000", "A seat"), ("x" * 200,) * 2],
)
def test_a_title_is_trimmed(text: str, title: str) -> None:
    assert parse_title(text) == title


@pytest.mark.parametrize("text", ["", " ", "\u3000", "\u200b", "\u200b \u2060", "\u0301", "\u3164", "\u2800"])
def test_an_invisible_title_is_refused(text: str) -> None:
    with pytest.raises(BadText, match="blank"):
        parse_title(text)


REFUSED = [
    *(*range(0x20), *range(0x7F, 0xA0)),  # control characters
    *(0x2028, 0x2029),  # line breaks
    *range(0x202A, 0x202F),  # bidirectional embeddings and overrides
    *range(0x2066, 0x206A),  # bidirectional isolates
    *(0xFEFF, 0xFFFD),
    *(0xD800, 0xDFFF),  # surrogates
]


@pytest.mark.parametrize("code_point", REFUSED, ids=hex)
@pytest.mark.parametrize("where", ["{}A seat", "A{}seat", "A seat{}"])
def test_a_title_with_a_control_character_is_refused(where: str, code_point: int) -> None:
    with pytest.raises(BadText, match="control"):
        parse_title(where.format(chr(code_point)))


@pytest.mark.parametrize(
    "title",
    [
        "Family 👨\u200d👩\u200d👧",
        "England 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian with a non-joiner
        "\u05e9\u05d5\u05e8\u05d4 1\u200e (A)",  # Hebrew with a left-to-right mark
        "\u05e9\u05d5\u05e8\u05d4 1\u200f!",
        "\u0635\u0641 \u061c1",  # Arabic with an Arabic letter mark
    ],
)
def test_joiners_and_direction_marks_are_kept(title: str) -> None:
    assert parse_title(title) == title


def test_a_title_may_have_200_characters_of_any_size() -> None:
    assert parse_title(" " + "🎟" * 200 + " ") == "🎟" * 200
    with pytest.raises(BadText, match="at most 200"):
        parse_title("🎟" * 201)


@given(st.text())
def test_a_title_is_either_refused_or_clean_and_stable(text: str) -> None:
    try:
        title = parse_title(text)
    except BadText:
        return
    assert 1 <= len(title) <= 200
    assert title == title.strip()
    assert parse_title(title) == title
