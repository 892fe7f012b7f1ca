"""The normal form of an e-mail address."""

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from functions.auth.user import parse_email, parse_new_email


@pytest.mark.parametrize(
    ("text", "email"),
    [
        ("someone@example.com", "someone@example.com"),
        ("  Some.One+seats@Example.COM ", "some.one+seats@example.com"),
        ("JOSÉ@example.com", "josé@example.com"),
        (unicodedata.normalize("NFD", "josé@example.com"), "josé@example.com"),
        ("a@xn--bcher-kva.example", "a@bücher.example"),
        ("a@BÜCHER.example", "a@bücher.example"),
    ],
)
def test_spellings_of_one_address_have_one_normal_form(text: str, email: str) -> None:
    assert parse_email(text) == email


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "@",
        "someone",
        "someone@",
        "@example.com",
        "some one@example.com",
        "someone@example",
        "someone@localhost",
        "someone@box.local",
        "a@b@example.com",
        "a..b@example.com",
        "Someone <someone@example.com>",
        '"some one"@example.com',
        "someone@[127.0.0.1]",
        "someone@example.com\n",
        "some\x00one@example.com",
        "someone\x7f@example.com",
        "someone@example.com\u200b",
        "\u202esomeone@example.com",
        "some\ufffdone@example.com",
        "a@example.com,b@example.com",
        "a" * 65 + "@example.com",
        "a@" + "b." * 127 + "com",
        "a" * 100_000,
    ],
)
def test_an_invalid_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an e-mail address|must"):
        parse_email(text)


def test_the_longest_address_has_254_characters() -> None:
    longest = "a" * 64 + "@" + ".".join(["b" * 59, "c" * 59, "d" * 59, "e" * 5, "com"])
    assert len(longest) == 254
    assert parse_email(longest) == longest

    with pytest.raises(ValueError, match="at most 254"):
        parse_email(longest.replace("@", "@b"))


@given(st.emails())
def test_parsing_an_email_is_idempotent(text: str) -> None:
    try:
        once = parse_email(text)
    except ValueError:
        assume(False)
    assert parse_email(once) == once
    assert parse_email(once.upper()) == once


@pytest.mark.parametrize("text", ["josé@example.com", "用户@example.com"])
def test_a_new_account_needs_an_address_to_which_ses_sends(text: str) -> None:
    """Accounts that have one already can sign in."""
    assert parse_email(text)
    with pytest.raises(ValueError, match="only ASCII characters before the @"):
        parse_new_email(text)


@pytest.mark.parametrize("text", ["jose@example.com", "Jose@bücher.example"])
def test_a_domain_outside_ascii_is_no_obstacle(text: str) -> None:
    assert parse_new_email(text) == parse_email(text)
