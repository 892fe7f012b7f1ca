"""What a ticket's status is, what its seller may do, and how it follows its orders."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.tickets.ticket import (
    BadTitle,
    Change,
    Hold,
    NotYours,
    Status,
    Ticket,
    TicketHeld,
    TicketSold,
    parse_title,
)
from shared.ids import OrderID, TicketID, UserID
from shared.money import Price

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
RESERVED = replace(TICKET, hold=UNTIL_DEADLINE, hold_number=1)
SOLD = replace(TICKET, hold=UNTIL_PAID, hold_number=3, sold_at=NOW)


def edit(ticket: Ticket, *, editor: UserID = SELLER, now: datetime = NOW) -> tuple[Ticket, Change]:
    return ticket.edit(editor=editor, title="Two seats", price=Price("30.00"), currency="usd", now=now)


@pytest.mark.parametrize(
    ("ticket", "status"),
    [
        (TICKET, Status.AVAILABLE),
        (WITHDRAWN, Status.WITHDRAWN),
        (RESERVED, Status.RESERVED),
        (replace(WITHDRAWN, hold=UNTIL_DEADLINE), Status.RESERVED),
        (replace(WITHDRAWN, hold=UNTIL_PAID), Status.RESERVED),
        (SOLD, Status.SOLD),
        (replace(SOLD, withdrawn_at=NOW), Status.SOLD),
    ],
)
def test_sold_counts_before_reserved_before_withdrawn(ticket: Ticket, status: Status) -> None:
    assert ticket.status(NOW) is status


def test_a_hold_ends_at_its_deadline_by_the_clock() -> None:
    assert RESERVED.status(DEADLINE - MOMENT) is Status.RESERVED
    assert RESERVED.status(DEADLINE) is Status.AVAILABLE


def test_a_withdrawn_ticket_whose_hold_has_lapsed_is_withdrawn() -> None:
    assert replace(WITHDRAWN, hold=UNTIL_DEADLINE).status(DEADLINE) is Status.WITHDRAWN


def test_a_hold_without_a_deadline_does_not_lapse() -> None:
    assert replace(TICKET, hold=UNTIL_PAID).status(NOW + timedelta(days=365)) is Status.RESERVED


def test_a_lapsed_hold_names_no_order_any_more() -> None:
    assert RESERVED.order_id(DEADLINE - MOMENT) == ORDER
    assert RESERVED.order_id(DEADLINE) is None


def test_a_sold_ticket_names_the_order_that_bought_it() -> None:
    assert SOLD.order_id(NOW) == ORDER


def test_an_edit_is_a_new_version() -> None:
    after, told = edit(TICKET)

    assert told == "edited"
    assert after == replace(TICKET, title="Two seats", price=Price("30.00"), version=2)


def test_an_edit_takes_the_currency_of_the_stage() -> None:
    after, _ = TICKET.edit(editor=SELLER, title="A seat", price=Price("500"), currency="jpy", now=NOW)

    assert (after.price, after.currency) == ("500", "jpy")


def test_only_the_seller_edits_or_withdraws() -> None:
    with pytest.raises(NotYours):
        edit(TICKET, editor=UserID("another"))
    with pytest.raises(NotYours):
        TICKET.withdraw(seller=UserID("another"), now=NOW)


def test_another_user_is_not_told_whether_the_ticket_is_held_or_sold() -> None:
    for ticket in (RESERVED, SOLD, WITHDRAWN):
        with pytest.raises(NotYours):
            edit(ticket, editor=UserID("another"))
        with pytest.raises(NotYours):
            ticket.withdraw(seller=UserID("another"), now=NOW)


def test_a_held_ticket_can_be_neither_edited_nor_withdrawn() -> None:
    with pytest.raises(TicketHeld):
        edit(RESERVED)
    with pytest.raises(TicketHeld):
        RESERVED.withdraw(seller=SELLER, now=NOW)


def test_a_sold_ticket_can_be_neither_edited_nor_withdrawn() -> None:
    with pytest.raises(TicketSold):
        edit(SOLD)
    with pytest.raises(TicketSold):
        SOLD.withdraw(seller=SELLER, now=NOW)


def test_a_lapsed_hold_is_no_obstacle_and_is_not_forgotten() -> None:
    after, _ = edit(RESERVED, now=DEADLINE)

    assert (after.hold, after.hold_number) == (RESERVED.hold, RESERVED.hold_number)


def test_a_withdrawal_is_a_new_version() -> None:
    assert TICKET.withdraw(seller=SELLER, now=NOW) == (replace(WITHDRAWN, version=2), "withdrawn")


def test_withdrawing_again_changes_nothing() -> None:
    assert WITHDRAWN.withdraw(seller=SELLER, now=DEADLINE) is None


def test_withdrawing_again_is_fine_while_an_order_still_has_the_ticket() -> None:
    assert replace(WITHDRAWN, hold=UNTIL_DEADLINE).withdraw(seller=SELLER, now=NOW) is None


def test_a_withdrawn_ticket_that_was_sold_all_the_same_cannot_be_withdrawn_again() -> None:
    with pytest.raises(TicketSold):
        replace(SOLD, withdrawn_at=NOW).withdraw(seller=SELLER, now=NOW)


def test_an_edited_ticket_stays_withdrawn() -> None:
    after, _ = edit(WITHDRAWN)

    assert after.status(NOW) is Status.WITHDRAWN


def test_an_order_reserves_until_its_deadline_and_then_until_it_is_paid() -> None:
    first = TICKET.reserve(UNTIL_DEADLINE, number=1)
    assert first == (replace(RESERVED, version=2), "reserved")
    assert first
    assert first[0].reserve(UNTIL_PAID, number=2) == (
        replace(RESERVED, version=3, hold=UNTIL_PAID, hold_number=2),
        "reserved",
    )


def test_a_completed_order_sells() -> None:
    assert RESERVED.sell(ORDER, number=3, now=NOW) == (replace(SOLD, version=2), "sold")


def test_a_cancelled_order_frees() -> None:
    assert RESERVED.free(number=2) == (replace(TICKET, version=2, hold_number=2), "freed")


def test_a_cancellation_that_came_first_makes_its_orders_creation_old_news() -> None:
    freed = TICKET.free(number=2)
    assert freed
    assert freed[0].hold is None
    assert freed[0].reserve(UNTIL_DEADLINE, number=1) is None


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_news_with_an_older_or_equal_number_is_dropped(number: int) -> None:
    for ticket in (SOLD, replace(RESERVED, hold_number=3)):
        assert ticket.reserve(UNTIL_DEADLINE, number=number) is None
        assert ticket.sell(ORDER, number=number, now=NOW) is None
        assert ticket.free(number=number) is None


type News = tuple[str, int]


def follow(ticket: Ticket, news: News) -> Ticket:
    """The ticket after a word of Orders, whether it was old or not."""
    word, number = news
    match word:
        case "created":
            told = ticket.reserve(Hold(order_id=OrderID(f"order-{number}"), expires_at=DEADLINE), number=number)
        case "awaiting:payment":
            told = ticket.reserve(Hold(order_id=OrderID(f"order-{number}"), expires_at=None), number=number)
        case "completed":
            told = ticket.sell(OrderID(f"order-{number}"), number=number, now=NOW)
        case _:
            told = ticket.free(number=number)
    return told[0] if told else ticket


@given(
    words=st.lists(st.sampled_from(["created", "awaiting:payment", "cancelled"]), min_size=1, max_size=6),
    data=st.data(),
)
def test_the_ticket_ends_as_the_last_change_says_in_whatever_order_and_however_often_it_hears(
    words: list[str], data: st.DataObject
) -> None:
    story: list[News] = [(word, number) for number, word in enumerate(words, start=1)]
    heard = data.draw(st.permutations(story + data.draw(st.lists(st.sampled_from(story)))))
    ticket = TICKET
    for news in heard:
        ticket = follow(ticket, news)

    last = follow(TICKET, story[-1])
    assert (ticket.hold, ticket.hold_number) == (last.hold, last.hold_number)


@pytest.mark.parametrize(
    ("text", "title"),
    [("A seat", "A seat"), ("  A  seat ", "A  seat"), ("\u00a0A seat\u3000", "A seat"), ("x" * 200,) * 2],
)
def test_a_title_is_trimmed(text: str, title: str) -> None:
    assert parse_title(text) == title


@pytest.mark.parametrize("text", ["", " ", "\u3000", "\u200b", "\u200b \u2060", "\ufeff", "\u0301", "\u3164", "\u2800"])
def test_a_title_that_shows_nothing_is_refused(text: str) -> None:
    with pytest.raises(BadTitle, match="blank"):
        parse_title(text)


@pytest.mark.parametrize("character", ["\0", "\t", "\n", "\r", "\x1f", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"])
@pytest.mark.parametrize("where", ["{}A seat", "A{}seat", "A seat{}"])
def test_a_title_with_a_control_character_is_refused_wherever_it_stands(where: str, character: str) -> None:
    with pytest.raises(BadTitle, match="control"):
        parse_title(where.format(character))


def test_a_title_may_have_200_characters_of_any_size() -> None:
    assert parse_title(" " + "🎟" * 200 + " ") == "🎟" * 200
    with pytest.raises(BadTitle, match="at most 200"):
        parse_title("🎟" * 201)


@given(st.text())
def test_a_title_is_either_refused_or_clean_and_stays_as_it_is(text: str) -> None:
    try:
        title = parse_title(text)
    except BadTitle:
        return
    assert 1 <= len(title) <= 200
    assert title == title.strip()
    assert parse_title(title) == title
