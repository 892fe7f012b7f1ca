"""CloudFront's functions, as they stand, in an engine of ours."""

import re

import pytest

from local.edge import FUNCTIONS, EdgeFunction, Headers


@pytest.fixture(scope="module")
def api_request() -> EdgeFunction:
    return EdgeFunction("api_request")


@pytest.fixture(scope="module")
def page_request() -> EdgeFunction:
    return EdgeFunction("page_request")


def headers_of(function: EdgeFunction, *headers: tuple[str, str]) -> Headers:
    uri, after = function(method="GET", uri="/api/tickets/a.b", headers=headers, viewer="203.0.113.7")
    assert uri == "/api/tickets/a.b"
    return sorted((name.lower(), value) for name, value in after)


def test_a_session_cookie_becomes_the_authorization_header(api_request: EdgeFunction) -> None:
    assert headers_of(api_request, ("Cookie", "a=b; session=ey.J0.x-_; c=d")) == [
        ("authorization", "Bearer ey.J0.x-_"),
        ("cookie", "a=b; session=ey.J0.x-_; c=d"),
        ("x-admit-one-viewer", "203.0.113.7"),
    ]


def test_an_explicit_header_wins(api_request: EdgeFunction) -> None:
    sent = (("Cookie", "session=cookie"), ("AUTHORIZATION", "Bearer header"))
    assert ("authorization", "Bearer header") in headers_of(api_request, *sent)
    assert ("authorization", "Bearer cookie") not in headers_of(api_request, *sent)


@pytest.mark.parametrize(
    "cookie", ["", "session", "session=", "sessions=a", "session=a b", "session=\xe9", "a=session=b"]
)
def test_what_is_no_token_makes_no_header(api_request: EdgeFunction, cookie: str) -> None:
    assert "authorization" not in dict(headers_of(api_request, ("Cookie", cookie)))


def test_a_cookie_longer_than_any_token_makes_no_header(api_request: EdgeFunction) -> None:
    assert "authorization" in dict(headers_of(api_request, ("Cookie", f"session={'a' * 4096}")))
    assert "authorization" not in dict(headers_of(api_request, ("Cookie", f"session={'a' * 4097}")))


def test_whoever_calls_is_named_by_the_edge_and_not_by_themselves(api_request: EdgeFunction) -> None:
    assert headers_of(api_request, ("X-Admit-One-Viewer", "6.6.6.6")) == [("x-admit-one-viewer", "203.0.113.7")]


@pytest.mark.parametrize("path", ["/", "/tickets/01KB/edit", "/orders", "/nowhere", "/assets", "/a.b/c", "/a.b/"])
def test_every_page_of_the_client_is_its_index(page_request: EdgeFunction, path: str) -> None:
    assert page_request(method="GET", uri=path, headers=[], viewer="::1") == ("/index.html", [])


@pytest.mark.parametrize("path", ["/index.html", "/assets/index-1a2b.js", "/favicon.ico", "/a/b.png", "/../secret.js"])
def test_a_file_stays_that_file_even_if_it_is_missing(page_request: EdgeFunction, path: str) -> None:
    assert page_request(method="GET", uri=path, headers=[], viewer="::1") == (path, [])


def test_they_are_written_in_what_cloudfront_runs() -> None:
    """cloudfront-js-2.0: at most 10 KB, no modules but its own, no DOM (CloudFront Developer Guide)."""
    for name in ("api_request", "page_request"):
        source = (FUNCTIONS / f"{name}.js").read_text()
        assert len(source.encode()) <= 10 * 1024
        assert re.search(r"^function handler\(event\) \{$", source, re.MULTILINE)
        assert not re.search(r"\b(import|require|class|window|fetch|process)\b", source.partition("function")[2])
