"""Mails as text and HTML: what they say, and what typed text cannot do to them."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.auth.mails import kinds, texts
from functions.auth.mails.kinds import Mail
from functions.auth.mails.render import MAX_SUBJECT, BadOrigin, Message, render
from shared.ids import OrderID, TicketID

ORIGIN = "https://tickets.example.com"
AT = datetime(2026, 11, 3, 9, 5, tzinfo=UTC)
TOKEN = "x" * 43
HOSTILE = '<img src="https://evil.example/x.png" onerror=alert(1)>"\'&amp;$token${price}\r\nBcc: eve@evil.example'

MAILS: list[Mail] = [
    kinds.VerifyAddress(token=TOKEN, life=timedelta(hours=24)),
    kinds.ResetPassword(token=TOKEN, life=timedelta(minutes=30)),
    kinds.PasswordChanged(at=AT),
    kinds.AddressChangeRequested(at=AT),
    kinds.ConfirmNewAddress(token=TOKEN, life=timedelta(hours=1)),
    kinds.NewDevice(client="Firefox on Windows", at=AT),
    kinds.OrderCompleted(order_id=OrderID("o1"), title="Row 1 & 2", price="12.50", currency="USD"),
    kinds.OrderNotPaid(order_id=OrderID("o1"), title="Row 1 & 2", price="12.50", currency="USD"),
    kinds.TicketSold(ticket_id=TicketID("t1"), title="Row 1 & 2", price="12.50", currency="USD"),
    kinds.OrderRefunded(order_id=OrderID("o1"), title="Row 1 & 2", amount="2.50", currency="USD"),
    kinds.PayoutSent(title="Row 1 & 2", amount="11.88", currency="USD"),
    kinds.PayoutReversed(title="Row 1 & 2", amount="11.88", currency="USD"),
    kinds.RefundAsked(ticket_id=TicketID("t1"), title="Row 1 & 2"),
    kinds.SaleRefunded(ticket_id=TicketID("t1"), title="Row 1 & 2", amount="12.50", currency="USD"),
]

each_mail = pytest.mark.parametrize("mail", MAILS, ids=lambda mail: type(mail).__name__)


class _Page(HTMLParser):
    """The elements, attributes and text of a mail."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def links(self) -> list[str | None]:
        return [value for name, value in self.attributes if name in {"href", "src", "action", "background"}]


def _render(mail: Mail) -> Message:
    return render(mail, origin=ORIGIN)


def _hostile(title: str) -> list[Mail]:
    return [
        kinds.OrderCompleted(order_id=OrderID("o1"), title=title, price="12.50", currency="USD"),
        kinds.OrderNotPaid(order_id=OrderID("o1"), title=title, price="12.50", currency="USD"),
        kinds.TicketSold(ticket_id=TicketID("t1"), title=title, price="12.50", currency="USD"),
        kinds.OrderRefunded(order_id=OrderID("o1"), title=title, amount="12.50", currency="USD"),
        kinds.PayoutSent(title=title, amount="11.88", currency="USD"),
        kinds.PayoutReversed(title=title, amount="11.88", currency="USD"),
        kinds.RefundAsked(ticket_id=TicketID("t1"), title=title),
        kinds.SaleRefunded(ticket_id=TicketID("t1"), title=title, amount="12.50", currency="USD"),
        kinds.NewDevice(client=title, at=AT),
    ]


def test_every_kind_has_a_text_and_a_test() -> None:
    every = {each for each in vars(kinds).values() if isinstance(each, type) and issubclass(each, Mail)} - {Mail}
    assert every == texts.TEXTS.keys()
    assert every == {type(mail) for mail in MAILS}


@each_mail
def test_text_and_html_say_the_same(mail: Mail) -> None:
    message = _render(mail)
    page = _Page(message.html)
    for line in message.text.splitlines():
        for part in line.removesuffix(":").split(": ", 1):
            assert part.strip("- ") in page.text


@each_mail
def test_links_lead_to_the_origin_only(mail: Mail) -> None:
    message = _render(mail)
    assert set(re.findall(r"https?://[^/\s]+", message.text)) == {ORIGIN}
    links = _Page(message.html).links
    assert links
    assert all(str(link).startswith(f"{ORIGIN}/") for link in links)
    assert str(links[0]) in message.text


@each_mail
def test_html_loads_nothing_and_is_accessible(mail: Mail) -> None:
    message = _render(mail)
    page = _Page(message.html)
    assert not {"img", "script", "link", "iframe", "form", "object", "base"} & set(page.tags)
    assert "url(" not in message.html
    assert "@import" not in message.html
    assert ("lang", "en") in page.attributes
    assert page.tags.count("h1") == 1
    assert f"<title>{message.subject}</title>".replace("&", "&amp;") in message.html


@each_mail
def test_no_placeholder_remains(mail: Mail) -> None:
    message = _render(mail)
    assert "$" not in message.subject + message.text + message.html


@pytest.mark.parametrize("mail", _hostile(HOSTILE), ids=lambda mail: type(mail).__name__)
def test_typed_text_is_shown_and_is_no_markup(mail: Mail) -> None:
    plain = next(each for each in _hostile("Row 1") if type(each) is type(mail))
    message, harmless = _render(mail), _Page(_render(plain).html)
    page = _Page(message.html)
    assert page.tags == harmless.tags
    assert page.attributes == harmless.attributes
    shown = HOSTILE.replace("\r\n", " ")
    assert shown in page.text
    assert shown in message.text


@given(st.text())
def test_a_subject_is_one_short_line(title: str) -> None:
    for mail in _hostile(title):
        subject = _render(mail).subject
        assert len(subject) <= MAX_SUBJECT
        assert subject.splitlines() == [subject]
        assert subject.isprintable() or not re.search(r"[\x00-\x1f\x7f\u0085\u2028\u2029]", subject)


@given(st.text())
def test_typed_text_adds_no_line(title: str) -> None:
    for mail, harmless in zip(_hostile(title), _hostile("Row 1"), strict=True):
        assert len(_render(mail).text.splitlines()) == len(_render(harmless).text.splitlines())


def test_typed_text_cannot_reverse_what_follows_it() -> None:
    message = _render(_hostile("Row 1\u202e\u2066 gpj.exe")[0])
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", message.subject + message.text + message.html)


def test_a_token_is_in_the_fragment_which_no_server_receives() -> None:
    verify, reset, *_ = (_render(mail) for mail in MAILS)
    assert f"{ORIGIN}/verify#{TOKEN}" in verify.text
    assert f"{ORIGIN}/reset#{TOKEN}" in reset.text


def test_ids_are_encoded_in_paths() -> None:
    mail = kinds.OrderCompleted(order_id=OrderID("a/../b?c#d"), title="Row 1", price="1.00", currency="USD")
    assert f"{ORIGIN}/orders/a%2F..%2Fb%3Fc%23d\n" in _render(mail).text


def test_a_token_is_not_shown_in_representations() -> None:
    assert TOKEN not in repr(MAILS[0])


@pytest.mark.parametrize(
    ("mail", "words"),
    [
        (MAILS[0], "for 24 hours"),
        (MAILS[1], "for 30 minutes"),
        (MAILS[4], "for 1 hour."),
        (MAILS[5], "3 November 2026, 09:05 UTC"),
    ],
)
def test_durations_and_times_are_in_words(mail: Mail, words: str) -> None:
    assert words in _render(mail).text


@pytest.mark.parametrize("origin", [ORIGIN, "http://127.0.0.1:3000", "http://localhost:4800"])
def test_an_origin_has_tls_or_is_this_machine(origin: str) -> None:
    assert f"{origin}/forgot" in render(MAILS[2], origin=origin).text


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "tickets.example.com",
        "http://tickets.example.com",
        f"{ORIGIN}/",
        f"{ORIGIN}\n",
        f"{ORIGIN}@evil.example",
        "javascript:",
    ],
)
def test_anything_else_is_no_origin(origin: str) -> None:
    with pytest.raises(BadOrigin):
        render(MAILS[2], origin=origin)


def test_a_long_title_is_cut_in_the_subject_and_whole_in_the_mail() -> None:
    message = _render(_hostile("long " * 40)[0])
    assert len(message.subject) == MAX_SUBJECT
    assert message.subject.endswith("…")
    assert ("long " * 40).strip() in message.text


def test_typed_text_in_a_paragraph_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    mail = _hostile("<b>Row 1</b>")[0]
    words = replace(texts.TEXTS[type(mail)], paragraphs=("You have bought $title.",))
    monkeypatch.setitem(texts.TEXTS, type(mail), words)
    assert "<p>You have bought &lt;b&gt;Row 1&lt;/b&gt;.</p>" in _render(mail).html
