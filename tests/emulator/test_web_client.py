"""The built web client as it is served."""

import gzip
import json
from pathlib import Path

import pytest

from local.edge.web_client import ASK_EACH_TIME, FOR_EVER, HEADERS, WebClient


@pytest.fixture
def client(tmp_path: Path) -> WebClient:
    (tmp_path / "secret.js").write_text("outside")
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("index")
    (dist / "ticket.svg").write_text("<svg/>")
    (dist / "assets" / "index-1a2b.js").write_text("code")
    return WebClient(dist, {"X-Frame-Options": "DENY"})


def test_the_index_is_revalidated_each_time(client: WebClient) -> None:
    page = client.page("/index.html")
    assert (page.status, page.body) == (200, b"index")
    assert dict(page.headers) == {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": ASK_EACH_TIME,
        "X-Frame-Options": "DENY",
    }


def test_a_file_with_a_hash_in_its_name_is_cached_for_ever(client: WebClient) -> None:
    page = client.page("/assets/index-1a2b.js")
    assert (page.status, page.body) == (200, b"code")
    assert ("Content-Type", "text/javascript; charset=utf-8") in page.headers
    assert ("Cache-Control", FOR_EVER) in page.headers


CODE = "export const text = 'a';\n" * 100


def test_a_file_is_compressed_for_browsers_that_accept_it(client: WebClient, tmp_path: Path) -> None:
    (tmp_path / "dist" / "assets" / "large-1a2b.js").write_text(CODE)
    page = client.page("/assets/large-1a2b.js").compressed("gzip, deflate, br")
    assert ("Content-Encoding", "gzip") in page.headers
    assert gzip.decompress(page.body).decode() == CODE
    assert len(page.body) < len(CODE) / 10

    for headers in (page.headers, client.page("/assets/large-1a2b.js").compressed("").headers):
        assert ("Vary", "Accept-Encoding") in headers


@pytest.mark.parametrize(("name", "size"), [("small.js", 999), ("image.png", 5000)])
def test_small_files_and_images_are_not_compressed(client: WebClient, tmp_path: Path, name: str, size: int) -> None:
    """As at CloudFront."""
    (tmp_path / "dist" / name).write_bytes(b"a" * size)
    page = client.page(f"/{name}").compressed("gzip")
    assert page.body == b"a" * size
    assert "Content-Encoding" not in dict(page.headers)


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip", True),
        ("br, GZIP", True),
        ("gzip;q=0.5, *;q=0", True),
        ("gzip;q=0.01", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, identity", False),
        ("x-gzip", False),
    ],
)
def test_only_what_the_browser_accepts_is_sent(
    client: WebClient, tmp_path: Path, accepted: str, *, is_compressed: bool
) -> None:
    (tmp_path / "dist" / "large.js").write_text(CODE)
    page = client.page("/large.js").compressed(accepted)
    assert (page.header("Content-Encoding") == "gzip") == is_compressed
    assert (gzip.decompress(page.body) if is_compressed else page.body).decode() == CODE


def test_a_file_without_a_hash_is_revalidated_each_time(client: WebClient) -> None:
    assert ("Cache-Control", ASK_EACH_TIME) in client.page("/ticket.svg").headers


@pytest.mark.parametrize(
    "path",
    [
        "/assets/index-old.js",
        "/favicon.ico",
        "/../secret.js",
        "/assets/../../secret.js",
        "/%2e%2e/secret.js",
        "/assets/..%2f..%2fsecret.js",
        "//secret.js",
        "/..\\secret.js",
        "/secret.js%00",
    ],
)
def test_a_missing_or_outside_path_is_not_found(client: WebClient, path: str) -> None:
    page = client.page(path)
    assert (page.status, page.body) == (404, b"Not Found\n")
    assert ("X-Frame-Options", "DENY") in page.headers


@pytest.mark.parametrize("document", ["/index.html", "/page.html"])
def test_an_unbuilt_client_is_reported(tmp_path: Path, document: str) -> None:
    page = WebClient(tmp_path, {}).page(document)
    assert page.status == 200
    assert b"not built" in page.body


def test_csp_allows_only_own_and_stripe_scripts() -> None:
    policy = HEADERS.read_text()
    assert "unsafe" not in policy
    headers = dict(WebClient.built().page("/index.html").headers)
    directives = dict(each.split(" ", 1) for each in headers["Content-Security-Policy"].split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == "'self' https://js.stripe.com https://*.js.stripe.com"
    assert directives["style-src"] == "'self'"


def test_without_tls_no_header_requires_https() -> None:
    """RFC 6797, 7.2. Safari would also request every script over https."""
    headers = dict(WebClient.built().page("/index.html").headers)

    assert "Strict-Transport-Security" not in headers
    assert "upgrade-insecure-requests" not in headers["Content-Security-Policy"]
    assert "Strict-Transport-Security" in json.loads(HEADERS.read_text()), "CloudFront sends it"
