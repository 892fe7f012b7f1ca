"""Mails as files: one `.eml` for each, named for the time at which it came, so that they outlive a restart."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

KEPT = 500
"""Older mails are deleted."""
_ID = re.compile(r"\d{19}", re.ASCII)
LINK = re.compile(r"https?://[^\s<>\"]+")


@dataclass(frozen=True, slots=True)
class StoredMail:
    """A mail as the reader sees it. `text` and `html` are empty if it has no such part."""

    id: str
    at: datetime
    sender: str
    to: str
    subject: str
    text: str
    html: str

    @property
    def links(self) -> list[str]:
        """The addresses in the text, in their order."""
        return LINK.findall(self.text)


class MailFolder:
    """The mails in a folder, which need not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, content: bytes) -> str:
        """Store a mail and return its id. An unfinished file is never read."""
        self._path.mkdir(parents=True, exist_ok=True)
        ids = self._ids()
        ident = f"{max(time.time_ns(), int(ids[0]) + 1 if ids else 0):019}"
        unfinished = self._path / f"{ident}.part"
        unfinished.write_bytes(content)
        os.replace(unfinished, self._file(ident))
        for old in ids[KEPT - 1 :]:
            self._file(old).unlink(missing_ok=True)
        return ident

    def newest_first(self) -> Iterator[StoredMail]:
        """Return all mails."""
        for ident in self._ids():
            if mail := self.get(ident):
                yield mail

    def get(self, ident: str) -> StoredMail | None:
        """Return one mail; None if there is none with this id."""
        if not _ID.fullmatch(ident):
            return None
        try:
            content = self._file(ident).read_bytes()
        except FileNotFoundError:
            return None
        message = BytesParser(EmailMessage, policy=policy.default).parsebytes(content)
        return StoredMail(
            id=ident,
            at=datetime.fromtimestamp(int(ident) / 1e9, UTC),
            sender=str(message.get("From", "")),
            to=str(message.get("To", "")),
            subject=str(message.get("Subject", "")),
            text=_part(message, "plain"),
            html=_part(message, "html"),
        )

    def _ids(self) -> list[str]:
        return sorted((file.stem for file in self._path.glob("*.eml") if _ID.fullmatch(file.stem)), reverse=True)

    def _file(self, ident: str) -> Path:
        return self._path / f"{ident}.eml"


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    if body is None:
        return ""
    try:
        return str(body.get_content()).replace("\r\n", "\n")  # as it was before SMTP
    except LookupError:  # an unknown charset
        return ""
