"""A response that the edge proxy holds in memory, and CloudFront's rules for compressing it."""

import gzip
import re
from dataclasses import dataclass, replace
from functools import lru_cache

type Headers = list[tuple[str, str]]

# What CloudFront compresses (CloudFront Developer Guide, "Serve compressed files"): of its types those that we serve.
_COMPRESSED_TYPES = frozenset(
    {"application/json", "image/svg+xml", "text/css", "text/html", "text/javascript", "text/plain"}
)
_COMPRESSED_BYTES = range(1000, 10_000_001)
_ACCEPTS_GZIP = re.compile(r"(?:^|,)\s*gzip\s*(?:,|$|;(?!\s*q=0(?:\.0*)?\s*(?:,|$)))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """Return the values of a header, separated by commas; empty without one."""
        return ", ".join(value for each, value in self.headers if each.lower() == name.lower())

    def compressed(self, accept_encoding: str) -> "Answer":
        """Return what CloudFront sends to a viewer with this `Accept-Encoding` if it compresses, with gzip only.

        CloudFront prefers Brotli, which browsers accept over TLS only.
        """
        content_type = self.header("Content-Type").partition(";")[0].strip().lower()
        is_compressible = content_type in _COMPRESSED_TYPES and len(self.body) in _COMPRESSED_BYTES
        if not is_compressible or self.header("Content-Encoding"):
            return self
        headers = [*self.headers, ("Vary", "Accept-Encoding")]
        if not _ACCEPTS_GZIP.search(accept_encoding):
            return replace(self, headers=headers)
        kept = [pair for pair in headers if pair[0].lower() != "content-length"]
        return replace(self, headers=[*kept, ("Content-Encoding", "gzip")], body=_gzip(self.body))


@lru_cache(maxsize=64)
def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)
