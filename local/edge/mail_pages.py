"""The pages of the mailbox, at `/mail`: the list, one mail, and all of them as JSON. They need no script.

Nothing of this exists on AWS. The HTML of a mail is shown in a sandboxed frame of its own: it runs no script and loads
nothing, and its links open in place of the page.
"""

import base64
import hashlib
import json
import re
from html import escape
from http import HTTPStatus

from local.edge.answer import Answer
from local.mailbox.folder import LINK, MailFolder, StoredMail

PATH = "/mail"
JSON_PATH = "/mail.json"

_STYLE = """
:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 0 auto; padding: 1rem; background: light-dark(#e9eae4, #121417); \
color: light-dark(#17191c, #eceeef); }
a { color: inherit; }
:focus-visible { outline: 3px solid; outline-offset: 2px; }
ol { padding: 0; list-style: none; }
li, section { margin-block: 1rem; padding: 1rem; border-radius: 6px; background: light-dark(#fdfdfa, #1d2126); }
li a { display: block; font-weight: 650; }
h1, h2, dd, p, pre, li { overflow-wrap: anywhere; }
h2 { margin-top: 0; font-size: 1.125rem; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 0.25rem 1rem; }
dd { margin: 0; }
.soft, dt { color: light-dark(#50565c, #a7afb7); }
pre { margin: 0; font: inherit; white-space: pre-wrap; }
iframe { width: 100%; height: 40rem; border: 0; }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_PAGE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_SANDBOX = "allow-top-navigation-by-user-activation"
_MAIL_POLICY = f"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox {_SANDBOX}"


class MailPages:
    """Answers the paths of the mailbox."""

    def __init__(self, mails: MailFolder) -> None:
        self._mails = mails

    def answer(self, path: str) -> Answer | None:
        """Return the answer to a path without its query; None if it is not one of the mailbox."""
        if path == JSON_PATH:
            content = {"mails": [_as_json(mail) for mail in self._mails.newest_first()]}
            return _answer(HTTPStatus.OK, "application/json", json.dumps(content))
        if path in {PATH, f"{PATH}/"}:
            return _page("Mailbox", _list(list(self._mails.newest_first())))
        if not path.startswith(f"{PATH}/"):
            return None
        ident, _, part = path.removeprefix(f"{PATH}/").partition("/")
        mail = self._mails.get(ident)
        if mail and not part:
            return _page(mail.subject or "No subject", _one(mail))
        if mail and mail.html and part == "html":
            return _answer(HTTPStatus.OK, "text/html; charset=utf-8", _links_on_top(mail.html), policy=_MAIL_POLICY)
        return _page("No such mail", f'<p><a href="{PATH}">All mails</a></p>', status=HTTPStatus.NOT_FOUND)


def _as_json(mail: StoredMail) -> dict[str, object]:
    return {
        "id": mail.id,
        "at": mail.at.isoformat(),
        "from": mail.sender,
        "to": mail.to,
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html,
        "links": mail.links,
    }


def _list(mails: list[StoredMail]) -> str:
    note = '<p class="soft">Mails of this local stack, newest first. None was delivered to anybody.</p>'
    if not mails:
        return f"{note}<p>No mails yet. Reload this page to see new ones.</p>"
    items = (
        f'<li><a href="{PATH}/{mail.id}">{escape(mail.subject or "No subject")}</a>'
        f"To {escape(mail.to)}, {_time(mail)}</li>"
        for mail in mails
    )
    return f"{note}<ol>{''.join(items)}</ol>"


def _one(mail: StoredMail) -> str:
    frame = f'<iframe title="The mail as HTML" sandbox="{_SANDBOX}" src="{PATH}/{mail.id}/html"></iframe>'
    return (
        f'<p><a href="{PATH}">All mails</a></p>'
        f"<dl><dt>From</dt><dd>{escape(mail.sender)}</dd><dt>To</dt><dd>{escape(mail.to)}</dd>"
        f"<dt>Received</dt><dd>{_time(mail)}</dd></dl>"
        f"<section><h2>Text</h2><pre>{_clickable(mail.text)}</pre></section>"
        + (f"<section><h2>HTML</h2>{frame}</section>" if mail.html else "")
    )


def _time(mail: StoredMail) -> str:
    return f'<time datetime="{mail.at.isoformat()}">{mail.at:%Y-%m-%d %H:%M:%S} UTC</time>'


def _clickable(text: str) -> str:
    shown, end = [], 0
    for link in LINK.finditer(text):
        shown += [escape(text[end : link.start()]), f'<a href="{escape(link[0])}">{escape(link[0])}</a>']
        end = link.end()
    return "".join([*shown, escape(text[end:])])


def _links_on_top(html: str) -> str:
    """Let links leave the frame: the client's pages do not allow to be framed."""
    base = '<base target="_top">'
    return re.sub(r"<head[^>]*>", lambda head: head[0] + base, html, count=1, flags=re.IGNORECASE)


def _page(title: str, content: str, *, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} - Admit One, local mailbox</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{content}</main></body></html>"
    )
    return _answer(status, "text/html; charset=utf-8", html, policy=_PAGE_POLICY)


def _answer(status: HTTPStatus, content_type: str, body: str, *, policy: str = "default-src 'none'") -> Answer:
    headers = [
        ("Content-Type", content_type),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", policy),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return Answer(status, headers, body.encode())
