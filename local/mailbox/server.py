"""`python -m local.mailbox.server`: an SMTP server on the loopback address that stores each mail and delivers none."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from local.mailbox.folder import MailFolder
from local.supervision.ports import HOST

SIZE_LIMIT = 1024 * 1024
"""Maximum size of a mail in bytes."""


class _Receiver:
    def __init__(self, mails: MailFolder) -> None:
        self._mails = mails

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Called by aiosmtpd, by this name, with a whole mail."""
        content = envelope.original_content or b""
        return f"250 Stored as {self._mails.add(content)}"


async def listen(mails: MailFolder, port: int) -> asyncio.Server:
    """Accept mails until the server is closed. Port 0 selects a free one. Raises OSError if the port is taken."""

    def conversation() -> SMTP:
        return SMTP(_Receiver(mails), data_size_limit=SIZE_LIMIT, hostname="localhost", enable_SMTPUTF8=True, loop=loop)

    loop = asyncio.get_running_loop()
    return await loop.create_server(conversation, HOST, port)


async def _serve(args: argparse.Namespace) -> int:
    try:
        server = await listen(MailFolder(args.folder), args.port)
    except OSError as error:
        print(f"The mailbox cannot listen on {HOST}:{args.port}: {error}", file=sys.stderr)
        return 1
    is_stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, is_stopping.set)
    print(f"The mailbox listens on {HOST}:{args.port}.", flush=True)
    await is_stopping.wait()
    server.close()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.mailbox.server", description=__doc__)
    parser.add_argument("--port", type=int, default=1025)
    parser.add_argument("--folder", type=Path, required=True, help="where the mails are stored")
    return asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
