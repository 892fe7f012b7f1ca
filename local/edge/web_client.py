"""The built web client as CloudFront and S3 serve it; the edge function decides which paths are pages."""

import json
from http import HTTPStatus
from pathlib import Path
from typing import Self
from urllib.parse import unquote

from local import ROOT
from local.edge.answer import Answer

DIST = ROOT / "web" / "dist"
HEADERS = ROOT / "web" / "headers.json"
"""The headers of every answer, name → value; CloudFront sends the same and adds Strict-Transport-Security."""

DOCUMENTS = ("/index.html", "/page.html")
"""What the edge function serves pages with; one of them explains that the client is not built."""
FOR_EVER = "public, max-age=31536000, immutable"
ASK_EACH_TIME = "no-cache"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}

_NOT_BUILT = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Admit One</title>
<h1>Admit One</h1>
<p>The web client is not built. <code>make run</code> builds it; by hand: <code>make web/dist/index.html</code>.</p>
<p>The API is at <a href="/api/tickets">/api/tickets</a>. The README shows a purchase with curl.</p>
"""


class WebClient:
    """The files in `dist`, as they are at each request; `headers` are sent with every answer."""

    def __init__(self, dist: Path, headers: dict[str, str]) -> None:
        self._dist = dist
        self._headers = list(headers.items())

    @classmethod
    def built(cls, dist: Path = DIST) -> Self:
        """Load the built client and the headers file.

        Omits Strict-Transport-Security, which must not be sent over plain http (RFC 6797, 7.2).
        """
        headers = json.loads(HEADERS.read_text())
        del headers["Strict-Transport-Security"]
        return cls(dist, headers)

    def page(self, path: str) -> Answer:
        """Answer a path without its query."""
        path = unquote(path)
        # Only files found by listing the folder are opened, so no path can lead out of it.
        files = {f"/{file.relative_to(self._dist).as_posix()}": file for file in self._dist.rglob("*")}
        found = files.get(path)
        if found is None or not found.is_file():
            if path in DOCUMENTS:
                return self._answer(HTTPStatus.OK, ".html", ASK_EACH_TIME, _NOT_BUILT)
            return self._answer(HTTPStatus.NOT_FOUND, ".txt", ASK_EACH_TIME, b"Not Found\n")
        # Every file name in /assets contains a hash of the content.
        keep = FOR_EVER if path.startswith("/assets/") else ASK_EACH_TIME
        return self._answer(HTTPStatus.OK, found.suffix, keep, found.read_bytes())

    def _answer(self, status: HTTPStatus, suffix: str, keep: str, body: bytes) -> Answer:
        content_type = _TYPES.get(suffix, "application/octet-stream")
        return Answer(status, [("Content-Type", content_type), ("Cache-Control", keep), *self._headers], body)
