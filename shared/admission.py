"""What a request must be before a route sees it: sent by our own site or by a program, and with one meaning only.

A request that two readers could understand differently is refused, not interpreted: a field or a query parameter that
comes twice, a body under another charset, media type or content coding than it may have, a body where none belongs.

A browser sends its cookies along with what other sites make it send, and a form needs no script for that. So every
write that a browser marks as another site's is refused. The mark is `Sec-Fetch-Site` (W3C, Fetch Metadata Request
Headers), which no page can set. `same-site` is refused too: the API and its client have one origin, and a sibling
subdomain may be somebody else's. Browsers that do not send it yet send `Origin`; the edge, which alone knows the host
that the browser called, compares the two and adds the mark. Requests without either header come from programs.
"""

import base64
import binascii
import json
from typing import Any
from urllib.parse import parse_qsl

from pydantic_core import from_json

from shared.problems import FieldError, Problem

MAX_BODY_BYTES = 64 * 1024
MAX_FIELD_LENGTH = 100  # of a name that a refusal repeats
OWN_SITES = ("same-origin", "none")
READS = ("GET", "HEAD")
CHARSETS = ("utf-8", "utf8", "us-ascii")


def admit(event: dict[str, Any]) -> None:
    """Refuse what no route should see; leave the body as text, under the one name of its type that routes know.

    `event` is a request of the HTTP API (payload format 2.0). Raises Problem.
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
        parse_json(event["body"])  # also where the route reads no body
    event["isBase64Encoded"] = False
    headers["content-type"] = "application/json"


def raw_body(event: dict[str, Any]) -> bytes:
    """The body's bytes as they were sent."""
    body: str = event.get("body") or ""
    try:
        return base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except (binascii.Error, UnicodeEncodeError):
        raise Problem(400, "invalid_json", "the body cannot be read") from None


def parse_json(text: str) -> Any:
    """JSON as RFC 8259 and RFC 7493 have it: no NaN, no lone surrogates, no bottomless nesting, no name twice."""
    try:
        parsed = from_json(text, allow_inf_nan=False)
        json.loads(text, object_pairs_hook=_refuse_repeated_names)  # pydantic's parser silently takes the last
    except ValueError as error:
        raise Problem(400, "invalid_json", f"the body is not JSON: {error}") from None
    if isinstance(parsed, list):  # of which powertools would take the first entry
        raise Problem(400, "invalid_request", "the body must be a JSON object")
    return parsed


def _check_site(headers: dict[str, str], domain_name: str | None) -> None:
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None and origin is not None:  # called without the edge: then the API's own host is the one called
        site = "same-origin" if origin == f"https://{domain_name}" else "cross-site"
    if site is not None and site not in OWN_SITES:
        raise Problem(403, "cross_site_request", "another site made the browser send this request")


def _check_query(query: str) -> None:
    """Each parameter comes once: API Gateway joins repeated ones with commas, and other readers take one of them."""
    seen: set[str] = set()
    for name, _ in parse_qsl(query, keep_blank_values=True):
        if name in seen:
            raise Problem(
                400,
                "invalid_request",
                "a query parameter comes more than once",
                [FieldError("must come once", name[:MAX_FIELD_LENGTH] or None)],
            )
        seen.add(name)


def _check_type(headers: dict[str, str]) -> None:
    """JSON in UTF-8, as it stands. An empty body may go without a type, but not under that of a form."""
    content_type = headers.get("content-type", "").lower()
    media_type, *parameters = (part.strip() for part in content_type.split(";"))
    if media_type != "application/json" or "," in content_type:  # a comma: the header came twice
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
            raise Problem(400, "invalid_json", "the body names a field twice", [error])
        seen.add(name)
