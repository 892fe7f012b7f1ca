"""Renders a mail as text and HTML. Pure: the same mail always gives the same message.

Users type titles of tickets, and clients send what describes a device. Such text appears on one line, without control
characters, and is escaped in HTML. Links begin with the stage's own origin, never with anything from a request.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote

from functions.auth.mails import texts
from functions.auth.mails.kinds import Mail

MAX_SUBJECT = 78
"""Characters; RFC 5322, section 2.1.1, recommends no longer lines."""

_ORIGIN = re.compile(r"https://[a-z0-9.-]+(:\d+)?|http://(127\.0\.0\.1|localhost)(:\d+)?")
# Control characters, line and paragraph separators, and characters that change the direction of the text after them.
_UNWANTED = frozenset({"Cc", "Zl", "Zp"})
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class BadOrigin(ValueError):
    """The origin of the stage's links is not one: a scheme and a host, with TLS except on this machine."""


@dataclass(frozen=True, slots=True)
class Message:
    """A mail in both forms, without addresses."""

    subject: str
    text: str
    html: str


def render(mail: Mail, *, origin: str) -> Message:
    """Return the message of a mail, with links to `origin` (`https://tickets.example.com`). Raises BadOrigin."""
    if not _ORIGIN.fullmatch(origin):
        raise BadOrigin("PUBLIC_ORIGIN must be https://<host>, without a path")
    values = {field.name: _say(getattr(mail, field.name)) for field in fields(mail)}
    words = texts.TEXTS[type(mail)]
    subject = _shorten(_fill(words.subject, values))
    path = Template(mail.page).substitute({name: quote(value, safe="") for name, value in values.items()})
    common = {
        "product": texts.PRODUCT,
        "heading": _fill(words.heading, values),
        "link": words.link,
        "url": f"{origin}{path}",
        "reason": words.reason,
    }
    paragraphs = [_fill(each, values) for each in words.paragraphs]
    rows = [(label, _fill(value, values)) for label, value in words.rows]
    in_html = {**common, "subject": subject, "language": texts.LANGUAGE, "copy_link": texts.COPY_LINK}
    return Message(
        subject=subject,
        text=_layout("txt").substitute(common, content="\n".join(_as_text(paragraphs, rows))),
        html=_layout("html").substitute(
            {name: escape(value) for name, value in in_html.items()}, content="\n".join(_as_html(paragraphs, rows))
        ),
    )


def one_line(text: str) -> str:
    """Return text that users typed on one line: without control and direction characters, spaces collapsed."""
    kept = (
        " " if unicodedata.category(character) in _UNWANTED else character
        for character in text
        if character not in _DIRECTION
    )
    return " ".join("".join(kept).split())


def _as_text(paragraphs: list[str], rows: list[tuple[str, str]]) -> Iterator[str]:
    for paragraph in paragraphs:
        yield f"{paragraph}\n"
    for label, value in rows:
        yield f"{label}: {value}"
    if rows:
        yield ""


def _as_html(paragraphs: list[str], rows: list[tuple[str, str]]) -> Iterator[str]:
    for paragraph in paragraphs:
        yield f"<p>{escape(paragraph)}</p>"
    if rows:
        cells = (f'<tr><th scope="row">{escape(label)}</th><td>{escape(value)}</td></tr>' for label, value in rows)
        yield f"<table>{''.join(cells)}</table>"


def _fill(text: str, values: dict[str, str]) -> str:
    return Template(text).substitute(values)


def _say(value: object) -> str:
    match value:
        case timedelta():
            minutes = int(value.total_seconds()) // 60
            number, unit = (minutes, texts.MINUTES) if minutes % 60 else (minutes // 60, texts.HOURS)
            return _fill(unit[number != 1], {"number": str(number)})
        case datetime():
            at = value.astimezone(UTC)
            return texts.DATE.format(at=at, month=texts.MONTHS[at.month - 1])
        case _:
            return one_line(str(value))


def _shorten(subject: str) -> str:
    return subject if len(subject) <= MAX_SUBJECT else f"{subject[: MAX_SUBJECT - 1].rstrip()}…"


@cache
def _layout(form: str) -> Template:
    return Template(Path(__file__).with_name(f"layout.{form}").read_text(encoding="utf-8"))
