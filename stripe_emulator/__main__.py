"""`python -m stripe_emulator`: serve a local Stripe until SIGINT or SIGTERM."""

import argparse
import logging
import signal
import sys
import time
from pathlib import Path

from stripe_emulator.account import CONNECT_WEBHOOK_SECRET, PUBLISHABLE_KEY, SECRET_KEY, WEBHOOK_SECRET, StripeAccount
from stripe_emulator.server import StripeServer
from stripe_emulator.state import BadJournal
from stripe_emulator.webhooks import WebhookEndpoint

RESEND_OVERLAP = 60.0
"""Seconds; the receiver may have answered an event shortly before its own last save."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m stripe_emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=12111)
    parser.add_argument("--state", type=Path, help="file that keeps the state through a restart")
    parser.add_argument("--resend-since", type=float, help="redeliver events created since this Unix time")
    parser.add_argument("--webhook-url", help="URL that events are posted to")
    parser.add_argument("--webhook-secret", default=WEBHOOK_SECRET)
    parser.add_argument("--connect-webhook-url", help="URL that events of connected accounts are posted to")
    parser.add_argument("--connect-webhook-secret", default=CONNECT_WEBHOOK_SECRET)
    parser.add_argument("--secret-key", default=SECRET_KEY)
    parser.add_argument("--publishable-key", default=PUBLISHABLE_KEY)
    parser.add_argument("--public-url", help="URL of this server for browsers, if not its own address")
    parser.add_argument("--latency", type=float, default=0.0, help="delay of each call in seconds")
    parser.add_argument("--verbose", action="store_true", help="print each request")
    args = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)

    def open_account(url: str) -> StripeAccount:
        account = StripeAccount(
            state=args.state,
            webhook=_endpoint(args.webhook_url, args.webhook_secret),
            connect_webhook=_endpoint(args.connect_webhook_url, args.connect_webhook_secret),
            secret_key=args.secret_key,
            publishable_key=args.publishable_key,
            public_url=args.public_url or url,
            on_request=(lambda _method, _path: time.sleep(args.latency)) if args.latency else None,
        )
        if args.resend_since is not None:
            account.deliver_again(since=args.resend_since - RESEND_OVERLAP)
        return account

    try:
        server = StripeServer(open_account, args.port, quiet=not args.verbose)
    except BadJournal as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The local Stripe cannot start on 127.0.0.1:{args.port}: {error}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"Local Stripe on {server.url}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.stop()
    return 0


def _endpoint(url: str | None, secret: str) -> WebhookEndpoint | None:
    return WebhookEndpoint(url, secret) if url else None


if __name__ == "__main__":
    sys.exit(main())
