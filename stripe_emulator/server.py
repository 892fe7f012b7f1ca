"""The HTTP server around a StripeAccount, and its pages: a bank's 3-D Secure challenge, and Stripe's onboarding."""

import html
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from stripe_emulator.account import StripeAccount
from stripe_emulator.webhooks import WebhookSender
from stripe_emulator.wire import Json

_MAX_BODY = 1_000_000
_IDLE_SECONDS = 30


class StripeServer:
    """Serves an account on 127.0.0.1 and delivers its webhooks, until `stop`. Port 0 selects a free one.

    `open_account(url)` is called once the port is bound, so that two servers never open one state file. Raises OSError
    if the port is taken.
    """

    def __init__(self, open_account: Callable[[str], StripeAccount], port: int, *, quiet: bool = True) -> None:
        self._http = _Server(("127.0.0.1", port), _Handler)
        try:
            self.account = open_account(self.url)
        except BaseException:
            self._http.server_close()
            raise
        self._sender = WebhookSender(self.account)
        self._http.account = self.account
        self._http.sender = self._sender
        self._http.quiet = quiet
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def serve_forever(self) -> None:
        self._sender.start()
        self._http.serve_forever(poll_interval=0.1)

    def start(self) -> None:
        """Serve from a separate thread."""
        self._sender.start()
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is not None:
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()
        self._sender.stop()
        self.account.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_port = False
    account: StripeAccount
    sender: WebhookSender
    quiet: bool


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    server: _Server

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/local/3ds/"):
            self._show_challenge()
        elif path.startswith("/local/onboarding/"):
            self._show_onboarding(path)
        else:
            self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_OPTIONS(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self._body()
        if body is None:
            return
        reply = self.server.account.handle(self.command, self.path, dict(self.headers.items()), body)
        self.server.sender.wake()
        path = urlsplit(self.path).path
        is_page = reply.status == 200 and "text/html" in self.headers.get("Accept", "")
        if is_page and path.startswith("/local/3ds/"):
            self._leave_challenge(reply.body)
            return
        if is_page and path.startswith("/local/onboarding/"):
            self._leave_for(reply.body["return_url"])
            return
        content = b"" if reply.status == 204 else json.dumps(reply.body, indent=2).encode()
        self._send(reply.status, {"Content-Type": "application/json", **reply.headers}, content)

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit() and len(length) < 10):
            self._send(400, {}, b"")
            return None
        if int(length) > _MAX_BODY:
            self._send(413, {}, b"")
            return None
        return self.rfile.read(int(length))

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            # Keep a line break in a header from becoming two headers.
            self.send_header(name, value.replace("\r", "").replace("\n", ""))
        # One request per connection: no idle connection stays open when a client or this server stops.
        self.send_header("Connection", "close")
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    # The challenge

    def _show_challenge(self) -> None:
        action = html.escape(self.path, quote=True)
        page = _PAGE.format(
            title="3-D Secure",
            body=f"""<p>Your bank would ask you to confirm the payment here.</p>
<form method="post" action="{action}">
<button name="outcome" value="complete">Complete authentication</button>
<button name="outcome" value="fail">Fail authentication</button>
</form>""",
        )
        self._send(200, {"Content-Type": "text/html; charset=utf-8"}, page.encode())

    def _leave_challenge(self, intent: Json) -> None:
        """Lead back to the shop, with the parameters that Stripe adds to a `return_url`."""
        target = parse_qs(urlsplit(self.path).query).get("return_url", [""])[0]
        outcome = urlencode(
            {
                "payment_intent": intent["id"],
                "payment_intent_client_secret": intent["client_secret"],
                "redirect_status": "failed" if intent["last_payment_error"] else "succeeded",
            }
        )
        joint = "&" if urlsplit(target).query else "?"
        self._leave_for(f"{target}{joint}{outcome}" if target else None)

    # Onboarding

    def _show_onboarding(self, path: str) -> None:
        reply = self.server.account.handle("POST", f"{path}/open")
        if reply.status != 200:
            self._send(reply.status, {"Content-Type": "application/json"}, json.dumps(reply.body).encode())
            return
        if not reply.body["is_valid"]:
            self._leave_for(reply.body["refresh_url"])
            return
        page = _PAGE.format(
            title="Onboarding",
            body=f"""<p>Stripe would ask here for the details of account {html.escape(reply.body["account"])}.</p>
<form method="post" action="{html.escape(path, quote=True)}">
<button name="outcome" value="complete">Enter all details</button>
<button name="outcome" value="pending">Enter details that have to be verified</button>
<button name="outcome" value="incomplete">Leave the bank account out</button>
<button name="outcome" value="leave">Return later</button>
</form>""",
        )
        self._send(200, {"Content-Type": "text/html; charset=utf-8"}, page.encode())

    def _leave_for(self, url: str | None) -> None:
        """Redirect to an address of the shop. Without one, say goodbye."""
        if urlsplit(url or "").scheme in ("http", "https"):
            self._send(303, {"Location": str(url)}, b"")
            return
        page = _PAGE.format(title="Local Stripe", body="<p>Thank you. You may close this window.</p>")
        self._send(200, {"Content-Type": "text/html; charset=utf-8"}, page.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        if not self.server.quiet:
            super().log_message(format, *args)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Local Stripe: {title}</title>
<style>
body {{ font: 1rem system-ui, sans-serif; margin: 4rem auto; max-width: 30rem }}
button {{ font: inherit }}
</style>
</head><body><h1>{title}</h1>
{body}
</body></html>
"""
