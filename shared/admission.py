"""Checks that run before routing: the request came through the edge, is unambiguous, and not from another site.

Ambiguous requests are rejected, not interpreted: a repeated JSON field or query parameter; an unsupported charset,
media type or content coding; a body on a request that takes none.

Cross-site request forgery: a browser attaches its cookies to requests that other sites trigger, for example with a form
and no script. Writes that the browser marks as cross-site are therefore rejected. The mark is `Sec-Fetch-Site` (W3C,
Fetch Metadata Request Headers), which a page cannot set. `same-site` is rejected too, since the API and its client have
one origin and a sibling subdomain can belong to another party. Older browsers send only `Origin`: the edge compares it
with the requested host, which only the edge knows, and adds the mark. Requests without either header do not come from
a browser.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from pydantic_core import from_json

from shared import settings
from shared.problems import FieldError, Problem

MAX_BODY_BYTES = 64 * 1024
MAX_FIELD_LENGTH = 100  # of a caller's field name in a problem
OWN_SITES = ("same-origin", "none")
READS = ("GET", "HEAD")
CHARSETS = ("utf-8", "utf8", "us-ascii")
EDGE_HEADER = "x-admit-one-edge"


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of every function with HTTP routes.

    `edge_proof` is the secret that the edge sends with each request; empty on a stage that accepts direct requests.
    """

    edge_proof: str = ""


def check_edge(headers: Mapping[str, str]) -> None:
    """Check that a request came through the edge, where the firewall limits each address. Raises Problem."""
    proof = settings.load(Settings).edge_proof
    if proof and not hmac.compare_digest(headers.get(EDGE_HEADER, "").encode(), proof.encode()):
        raise Problem(403, "not_through_edge", "use the address of the web client; this one takes no direct requests")


def admit(event: dict[str, Any]) -> None:
    """Check a request, then set its body to decoded text and its content type to `application/json`.

    `event` is a request of the HTTP API (payload format 2.0), modified in place. Raises Problem.
    """
    headers = event.setdefault("headers", {})
    method = event["requestContext"]["http"]["method"]
    if method not in READS:
        _check_site(headers, event["requestContext"].get("domainName"))
    _check_query(event.get("rawQueryString") or "")
    body = raw_body(event)
    if len(body) > MAX_BODY_BYTES:
        raise Problem(413, "body_too_large", f"the body is over {MAX_BODY_BYTES // 1024} KB")
    if method in READS:
        if body:
            raise Problem(400, "invalid_request", f"a {method} request takes no body")
    elif body or headers.get("content-type"):
        _check_type(headers)
    try:
        event["body"] = body.decode()
    except UnicodeDecodeError:
        raise Problem(400, "invalid_json", "the body is not UTF-8") from None
    if body:
        parse_json(event["body"])  # also for routes that do not read the body
    event["isBase64Encoded"] = False
    headers["content-type"] = "application/json"


def raw_body(event: dict[str, Any]) -> bytes:
    """Return the bytes of the body as sent. Raises Problem (`invalid_json`) if they cannot be decoded."""
    body: str = event.get("body") or ""
    try:
        return base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except (binascii.Error, UnicodeEncodeError):
        raise Problem(400, "invalid_json", "the body cannot be read") from None


def parse_json(text: str) -> Any:
    """Parse a JSON object (RFC 8259, RFC 7493).

    Rejects NaN, lone surrogates, excessive nesting, duplicate names and top-level arrays. Raises Problem.
    """
    try:
        parsed = from_json(text, allow_inf_nan=False)
        json.loads(text, object_pairs_hook=_refuse_repeated_names)  # pydantic's parser silently uses the last duplicate
    except ValueError as error:
        raise Problem(400, "invalid_json", f"the body is not JSON: {error}") from None
    if isinstance(parsed, list):  # Powertools would use its first entry
        raise Problem(400, "invalid_request", "the body must be a JSON object")
    return parsed


def _check_site(headers: dict[str, str], domain_name: str | None) -> None:
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None and origin is not None:  # not through the edge: compare with the API's own host
        site = "same-origin" if origin == f"https://{domain_name}" else "cross-site"
    if site is not None and site not in OWN_SITES:
        raise Problem(403, "cross_site_request", "the browser sent this request on behalf of another site")


def _check_query(query: str) -> None:
    """Reject repeated parameters: API Gateway joins their values with commas, other parsers use one of them."""
    seen: set[str] = set()
    for name, _ in parse_qsl(query, keep_blank_values=True):
        if name in seen:
            raise Problem(
                400,
                "invalid_request",
                "a query parameter is repeated",
                [FieldError("must come once", name[:MAX_FIELD_LENGTH] or None)],
            )
        seen.add(name)


def _check_type(headers: dict[str, str]) -> None:
    """Accept only JSON in UTF-8 without content coding. An empty body may omit its type, but not have another one."""
    content_type = headers.get("content-type", "").lower()
    media_type, *parameters = (part.strip() for part in content_type.split(";"))
    if media_type != "application/json" or "," in content_type:  # a comma: the header was repeated
        raise _unsupported("the body must be application/json")
    for name, _, value in (parameter.partition("=") for parameter in parameters):
        if name.strip() == "charset" and value.strip().strip('"') not in CHARSETS:
            raise _unsupported("the body's charset must be utf-8")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise _unsupported("the body must have no Content-Encoding")


def _unsupported(detail: str) -> Problem:
    return Problem(415, "unsupported_media_type", detail)


def _refuse_repeated_names(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            error = FieldError("must come once", name[:MAX_FIELD_LENGTH] or None)
            raise Problem(400, "invalid_json", "the body has a duplicate field", [error])
        seen.add(name)
