"""Pages and the cursors between them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ids import new_id
from shared.pagination import BadCursor, Page, decode_cursor, encode_cursor, page_of

IDENT = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
LISTINGS = ("orders", "on-sale", "mine")

idents = st.from_regex(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", fullmatch=True)


def page(entries: list[str], limit: int) -> Page[str]:
    return page_of(entries, listing="on-sale", limit=limit, ident=lambda entry: entry)


@given(st.sampled_from(LISTINGS), idents)
def test_a_cursor_decodes_to_its_id(listing: str, ident: str) -> None:
    assert decode_cursor(listing, encode_cursor(listing, ident)) == ident


@given(st.sampled_from(LISTINGS), st.sampled_from(LISTINGS), idents)
def test_a_cursor_of_another_list_is_refused(listing: str, other: str, ident: str) -> None:
    if listing != other:
        with pytest.raises(BadCursor):
            decode_cursor(other, encode_cursor(listing, ident))


@given(st.text())
def test_forged_text_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        decode_cursor("on-sale", text)


@given(st.binary(max_size=64))
def test_forged_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(BadCursor):
        decode_cursor("on-sale", base64.urlsafe_b64encode(raw).decode().rstrip("="))


@given(idents, st.data())
def test_a_cursor_with_any_changed_character_is_refused(ident: str, data: st.DataObject) -> None:
    cursor = encode_cursor("on-sale", ident)
    position = data.draw(st.integers(0, len(cursor) - 1))
    other = data.draw(st.sampled_from("ABCDEFabcdef0123-_=+/ ."))
    changed = cursor[:position] + other + cursor[position + 1 :]
    if changed != cursor:
        with pytest.raises(BadCursor):
            decode_cursor("on-sale", changed)


@pytest.mark.parametrize("more", ["=", "==", "A", " ", "\n", "\0"])
def test_a_cursor_with_a_suffix_is_refused(more: str) -> None:
    cursor = encode_cursor("on-sale", IDENT)
    for changed in (cursor + more, more + cursor):
        with pytest.raises(BadCursor):
            decode_cursor("on-sale", changed)


@pytest.mark.parametrize("key", ["", "x", IDENT[:-1], IDENT + "0", IDENT.lower(), "~" * 26])
def test_a_cursor_of_an_invalid_id_is_refused(key: str) -> None:
    with pytest.raises(BadCursor):
        decode_cursor("on-sale", encode_cursor("on-sale", key))


def test_a_cursor_needs_no_escaping_in_a_query() -> None:
    for _ in range(100):
        assert encode_cursor("on-sale", new_id()).replace("-", "").replace("_", "").isalnum()


def test_a_page_before_the_last_has_a_cursor_to_the_next() -> None:
    entries = [f"{IDENT[:-1]}{number}" for number in range(3)]

    assert page(entries, 2) == Page(tuple(entries[:2]), encode_cursor("on-sale", entries[1]))


def test_an_exactly_full_last_page_has_no_cursor() -> None:
    entries = [f"{IDENT[:-1]}{number}" for number in range(2)]

    assert page(entries, 2) == Page(tuple(entries), None)


def test_an_empty_list_is_one_empty_page() -> None:
    assert page([], 2) == Page((), None)


def test_at_most_one_entry_beyond_the_page_is_read() -> None:
    entries = iter(range(100))
    page_of(entries, listing="on-sale", limit=10, ident=lambda _: IDENT)

    assert next(entries) == 11
