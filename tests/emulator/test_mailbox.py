"""The mailbox: mails that come by SMTP, and the pages that show them."""

import asyncio
import http.client
import json
import re
import smtplib
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from functions.auth.mails.kinds import OrderCompleted, PasswordChanged
from functions.auth.mails.render import Message, render
from local.cloud.local_aws import LocalAws
from local.edge.web_client import WebClient
from local.mailbox import folder as folder_module
from local.mailbox.folder import MailFolder, StoredMail
from local.mailbox.server import SIZE_LIMIT, listen
from local.supervision.ports import HOST, Ports, is_listening
from local.supervision.processes import Child, clean_environment
from shared.ids import OrderID
from tests.support.edge_proxy import ServedProxy, serving

COMES_WITHIN = 20.0
ORIGIN = "http://127.0.0.1:3000"
HOSTILE = '<script>alert(1)</script>"&'


@pytest.fixture
def mails(tmp_path: Path) -> MailFolder:
    return MailFolder(tmp_path / "mails")


@pytest.fixture
def smtp_port(mails: MailFolder) -> Iterator[int]:
    """The port of a running SMTP server."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(listen(mails, 0), loop).result(10)
    yield server.sockets[0].getsockname()[1]
    loop.call_soon_threadsafe(server.close)
    asyncio.run_coroutine_threadsafe(server.wait_closed(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def proxy(mails: MailFolder, tmp_path: Path) -> Iterator[ServedProxy]:
    """An edge proxy with the mailbox and without a built client."""
    client = WebClient(tmp_path / "dist", {})
    with serving(aws_port=1, api_id="abc", proof="the proof", web_client=client, mails=mails) as proxy:
        yield proxy


def _mail(message: Message, *, to: str = "ada@example.com") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Admit One <mail@admit-one.example>", to, message.subject
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    return mail


def _receipt(title: str = "Café, row 1") -> Message:
    mail = OrderCompleted(order_id=OrderID("o1"), title=title, price="12.50", currency="USD")
    return render(mail, origin=ORIGIN)


def _get(proxy: ServedProxy, path: str, *, method: str = "GET") -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection(HOST, proxy.port, timeout=10)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response, response.read().decode()
    finally:
        connection.close()


def _only(mails: MailFolder) -> StoredMail:
    (found,) = mails.newest_first()
    return found


def test_a_mail_that_comes_by_smtp_is_kept_whole(mails: MailFolder, smtp_port: int) -> None:
    message = _receipt()
    before = datetime.now(UTC)
    with smtplib.SMTP(HOST, smtp_port, timeout=10) as conversation:
        conversation.send_message(_mail(message))
    found = _only(mails)
    assert (found.sender, found.to) == ("Admit One <mail@admit-one.example>", "ada@example.com")
    assert found.subject == message.subject == "Your ticket: Café, row 1"
    assert found.text == message.text
    assert found.html == message.html
    assert found.links == [f"{ORIGIN}/orders/o1"]
    assert before <= found.at <= datetime.now(UTC)


def test_a_restart_keeps_mails(mails: MailFolder, tmp_path: Path) -> None:
    ident = mails.add(_mail(_receipt()).as_bytes())
    assert _only(MailFolder(tmp_path / "mails")).id == ident


def test_a_mail_that_is_too_large_is_refused(mails: MailFolder, smtp_port: int) -> None:
    mail = _mail(_receipt())
    mail.add_attachment("x" * SIZE_LIMIT)
    with smtplib.SMTP(HOST, smtp_port, timeout=10) as conversation, pytest.raises(smtplib.SMTPException):
        conversation.send_message(mail)
    assert list(mails.newest_first()) == []


def test_mails_of_one_instant_are_kept_in_order(mails: MailFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000)
    for number in range(3):
        mails.add(f"Subject: {number}\r\n\r\n".encode())
    assert [mail.subject for mail in mails.newest_first()] == ["2", "1", "0"]


def test_the_oldest_mails_are_deleted(mails: MailFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "KEPT", 3)
    for number in range(5):
        mails.add(f"Subject: {number}\r\n\r\n".encode())
    assert [mail.subject for mail in mails.newest_first()] == ["4", "3", "2"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"no headers",
        b"Content-Type: text/plain; charset=unknown\r\n\r\nx",
        b"Subject: =?x?q?\r\n\r\n",
    ],
)
def test_a_malformed_mail_is_listed(mails: MailFolder, proxy: ServedProxy, content: bytes) -> None:
    ident = mails.add(content)
    assert _get(proxy, "/mail")[0].status == 200
    assert _get(proxy, f"/mail/{ident}")[0].status == 200
    assert _get(proxy, "/mail.json")[0].status == 200


def test_the_list_has_the_newest_first(mails: MailFolder, proxy: ServedProxy) -> None:
    assert "No mails yet" in _get(proxy, "/mail")[1]
    first = mails.add(_mail(_receipt("First")).as_bytes())
    second = mails.add(_mail(_receipt("Second"), to="bob@example.com").as_bytes())
    response, page = _get(proxy, "/mail")
    assert response.status == 200
    assert response.getheader("Cache-Control") == "no-store"
    assert re.findall(r'<li><a href="([^"]+)">([^<]+)</a>', page) == [
        (f"/mail/{second}", "Your ticket: Second"),
        (f"/mail/{first}", "Your ticket: First"),
    ]
    assert "bob@example.com" in page


def test_a_mail_is_shown_as_text_with_links(mails: MailFolder, proxy: ServedProxy) -> None:
    ident = mails.add(_mail(_receipt()).as_bytes())
    _, page = _get(proxy, f"/mail/{ident}")
    assert "Thank you for your order." in page
    assert f'<a href="{ORIGIN}/orders/o1">{ORIGIN}/orders/o1</a>' in page
    assert f'src="/mail/{ident}/html"' in page


def test_pages_have_a_language_a_heading_and_fit_a_phone(mails: MailFolder, proxy: ServedProxy) -> None:
    ident = mails.add(_mail(_receipt()).as_bytes())
    for path in ("/mail", f"/mail/{ident}", "/mail/0"):
        _, page = _get(proxy, path)
        assert '<html lang="en">' in page
        assert page.count("<h1>") == 1
        assert 'name="viewport" content="width=device-width' in page
        assert "<script" not in page


def test_html_is_shown_in_a_sandbox(mails: MailFolder, proxy: ServedProxy) -> None:
    """It may run no script and load nothing; a click on a link leaves the frame."""
    ident = mails.add(_mail(_receipt()).as_bytes())
    response, html = _get(proxy, f"/mail/{ident}/html")
    assert html == _receipt().html.replace("<head>", '<head><base target="_top">')
    policy = response.getheader("Content-Security-Policy") or ""
    assert "default-src 'none'" in policy
    assert "sandbox allow-top-navigation-by-user-activation" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    _, page = _get(proxy, f"/mail/{ident}")
    assert 'sandbox="allow-top-navigation-by-user-activation"' in page


def test_what_a_mail_contains_is_no_markup_of_the_pages(mails: MailFolder, proxy: ServedProxy) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = (
        f'"{HOSTILE[:8]}" <a@example.com>',
        f'"{HOSTILE[:8]}" <b@example.com>',
        HOSTILE,
    )
    mail.set_content(f"{HOSTILE} https://example.com/{HOSTILE}")
    ident = mails.add(mail.as_bytes())
    for path in ("/mail", f"/mail/{ident}"):
        response, page = _get(proxy, path)
        assert "<script" not in page
        assert "script-src" not in (response.getheader("Content-Security-Policy") or "")
    assert "https://example.com/&lt;" not in page.partition("<pre>")[2].partition("</a>")[0]


def test_programs_read_mails_as_json(mails: MailFolder, proxy: ServedProxy) -> None:
    ident = mails.add(_mail(_receipt()).as_bytes())
    response, body = _get(proxy, "/mail.json")
    assert response.getheader("Content-Type") == "application/json"
    (found,) = json.loads(body)["mails"]
    assert found.keys() == {"id", "at", "from", "to", "subject", "text", "html", "links"}
    assert (found["id"], found["to"]) == (ident, "ada@example.com")
    assert found["links"] == [f"{ORIGIN}/orders/o1"]


@pytest.mark.parametrize("path", ["/mail/0", "/mail/..%2Fsecret", "/mail/../secret", "/mail/1/2/3", "/mail/x/html"])
def test_there_is_no_other_mail(mails: MailFolder, proxy: ServedProxy, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret.eml").write_text("Subject: secret\n\n")
    mails.add(b"Subject: one\r\n\r\n")
    response, page = _get(proxy, path)
    assert response.status == 404
    assert "secret" not in page


def test_an_id_leads_to_no_other_file(mails: MailFolder, tmp_path: Path) -> None:
    (tmp_path / "secret.eml").write_text("Subject: secret\n\n")
    mails.add(b"Subject: one\r\n\r\n")
    assert mails.get("../secret") is None


def test_only_paths_of_the_mailbox_are_its_own(proxy: ServedProxy) -> None:
    for path in ("/mailing", "/mail.jsonx", "/"):
        assert "mailbox" not in _get(proxy, path)[1]
    assert _get(proxy, "/mail", method="HEAD")[0].status == 200
    assert _get(proxy, "/mail", method="POST")[0].status == 404


def test_a_proxy_without_a_mailbox_has_no_such_page(tmp_path: Path) -> None:
    client = WebClient(tmp_path, {})
    with serving(aws_port=1, api_id="abc", proof="the proof", web_client=client) as proxy:
        assert "mailbox" not in _get(proxy, "/mail")[1]


def test_the_local_aws_hands_mails_to_the_mailbox(mails: MailFolder, tmp_path: Path) -> None:
    """The server runs as `make run` starts it."""
    ports = Ports.free()
    command = [sys.executable, "-m", "local.mailbox.server", "--port", str(ports.smtp)]
    server = Child(
        "the mailbox",
        [*command, "--folder", str(tmp_path / "mails")],
        log=tmp_path / "mailbox.log",
        environment=clean_environment(),
    )
    try:
        _eventually(lambda: is_listening(ports.smtp))
        message = render(PasswordChanged(at=datetime.now(UTC)), origin=ORIGIN)
        aws = LocalAws(port=ports.aws, scratch=tmp_path / "scratch", logs=tmp_path, state=None, smtp_port=ports.smtp)
        try:
            _send(aws, message)
            _eventually(lambda: list(mails.newest_first()))
        finally:
            aws.stop()
    finally:
        server.stop()
    found = _only(mails)
    assert (found.sender, found.to) == ("Admit One <mail@admit-one.example>", "ada@example.com")
    assert (found.subject, found.text, found.html) == (message.subject, message.text, message.html)


def _send(aws: LocalAws, message: Message) -> None:
    """Send as the product does, from a domain that the stack makes an identity."""
    client = aws.mails()
    client.create_email_identity(EmailIdentity="admit-one.example")
    client.send_email(
        FromEmailAddress="Admit One <mail@admit-one.example>",
        Destination={"ToAddresses": ["ada@example.com"]},
        Content={
            "Simple": {
                "Subject": {"Data": message.subject},
                "Body": {"Text": {"Data": message.text}, "Html": {"Data": message.html}},
            }
        },
    )


def _eventually(holds: Any) -> None:
    deadline = time.monotonic() + COMES_WITHIN
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
