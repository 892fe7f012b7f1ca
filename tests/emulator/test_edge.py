"""CloudFront's functions, unchanged, in a local JavaScript engine."""

import re

import pytest

from cdk.stages import LOCAL, read_stage
from functions.auth.keys import Key, KeyRing
from functions.auth.session import Session
from functions.auth.session_cookie import OLD_COOKIE
from functions.auth.tokens import MAX_CANDIDATES, Tokens
from local.edge.answer import Headers
from local.edge.functions import FUNCTIONS, EdgeFunction
from shared import clock
from shared.ids import UserID, new_id


@pytest.fixture(scope="module")
def api_request() -> EdgeFunction:
    return EdgeFunction("api_request")


@pytest.fixture(scope="module")
def page_request() -> EdgeFunction:
    return EdgeFunction("page_request")


def headers_of(function: EdgeFunction, *headers: tuple[str, str], host: str = "tickets.example") -> Headers:
    uri, after = function(
        method="GET", uri="/api/tickets/a.b", headers=[*headers, ("Host", host)], viewer="203.0.113.7"
    )
    assert uri == "/api/tickets/a.b"
    return sorted((name.lower(), value) for name, value in after)


def authorization(function: EdgeFunction, *headers: tuple[str, str]) -> str | None:
    return dict(headers_of(function, *headers)).get("authorization")


def test_session_cookie_becomes_authorization_and_is_removed(api_request: EdgeFunction) -> None:
    assert headers_of(api_request, ("Cookie", "a=b; __Host-admit-one=ey.J0.x-_; c=d")) == [
        ("authorization", "Bearer ey.J0.x-_"),
        ("x-admit-one-viewer", "203.0.113.7"),
    ]


WITH_TLS = {
    "the new name": ("__Host-admit-one=a.b.c", "Bearer a.b.c"),
    "the old name": ("session=a.b.c", "Bearer a.b.c"),
    "both, the old one first": ("session=o.l.d; __Host-admit-one=n.e.w", "Session n.e.w o.l.d"),
    "the same twice": ("session=a.b.c; __Host-admit-one=a.b.c; session=a.b.c", "Bearer a.b.c"),
    "two with one name": ("session=abc.def.ghi; session=g.oo.d", "Session abc.def.ghi g.oo.d"),
    "no valid token": ("session=junk; session=g.oo.d; session=", "Bearer g.oo.d"),
    "a flood": (
        "; ".join(f"session={number}.b.c" for number in range(200)) + "; __Host-admit-one=g.oo.d",
        "Session g.oo.d 0.b.c 1.b.c 2.b.c 3.b.c",
    ),
    "the name without TLS": ("admit-one=a.b.c", None),
    "another case": ("__host-admit-one=a.b.c; Session=a.b.c", None),
    "a name with the same prefix": ("__Host-admit-one2=a.b.c; xsession=a.b.c", None),
}
WITHOUT_TLS = {
    "the name": ("admit-one=a.b.c", "Bearer a.b.c"),
    "the old name": ("session=o.l.d; admit-one=n.e.w", "Session n.e.w o.l.d"),
    "the name with TLS": ("__Host-admit-one=a.b.c", None),
}


@pytest.mark.parametrize(("cookie", "header"), WITH_TLS.values(), ids=WITH_TLS)
def test_all_session_candidates_are_sent_host_cookie_first(
    api_request: EdgeFunction, cookie: str, header: str | None
) -> None:
    """The `__Host-` cookie comes first, because other sites cannot set it."""
    assert authorization(api_request, ("Cookie", cookie)) == header


@pytest.mark.parametrize(("cookie", "header"), WITHOUT_TLS.values(), ids=WITHOUT_TLS)
def test_without_tls_the_session_has_another_name(api_request: EdgeFunction, cookie: str, header: str | None) -> None:
    assert authorization(api_request, ("Cookie", cookie), ("X-Forwarded-Proto", "http")) == header


@pytest.mark.parametrize("cookies", [(), ("__Host-admit-one=a.b.c",), ("session=a.b.c; session=d.e.f",)])
@pytest.mark.parametrize("sent", ["Bearer header", "Basic dTpw", ""])
def test_an_authorization_header_takes_precedence(
    api_request: EdgeFunction, cookies: tuple[str, ...], sent: str
) -> None:
    headers = [("Cookie", cookie) for cookie in cookies]
    assert authorization(api_request, *headers, ("AUTHORIZATION", sent)) == sent


@pytest.mark.parametrize(
    "cookie",
    ["", "session", "session=", "sessions=a.b.c", "session=a.b c.d", "session=\xe9.b.c", "a=session=b", "session=a.b"],
)
def test_an_invalid_token_makes_no_header(api_request: EdgeFunction, cookie: str) -> None:
    assert authorization(api_request, ("Cookie", cookie)) is None


def device_header(function: EdgeFunction, uri: str, *headers: tuple[str, str]) -> str | None:
    _, after = function(method="POST", uri=uri, headers=[*headers, ("Host", "tickets.example")], viewer="203.0.113.7")
    assert not any(name.lower() == "cookie" for name, _ in after)
    return {name.lower(): value for name, value in after}.get("x-admit-one-device")


def test_device_cookies_are_forwarded_for_a_sign_in_only(api_request: EdgeFunction) -> None:
    cookies = "Cookie", "__Host-admit-one-device-01234567=a.b.c; x=y.z.z; __Host-admit-one-device-89abcdef=d.e.f"

    assert device_header(api_request, "/api/users/signin", cookies) == "a.b.c d.e.f"
    for uri in ("/api/users/signup", "/api/orders", "/api/users/signin/"):
        assert device_header(api_request, uri, cookies) is None


def test_the_callers_own_device_header_is_removed(api_request: EdgeFunction) -> None:
    forged = "X-Admit-One-Device", "f.o.o"

    assert device_header(api_request, "/api/users/signin", forged) is None
    cookie = "Cookie", "__Host-admit-one-device-01234567=a.b.c"
    assert device_header(api_request, "/api/users/signin", forged, cookie) == "a.b.c"


def test_a_device_cookie_that_another_site_could_set_is_ignored(api_request: EdgeFunction) -> None:
    cookie = "Cookie", "admit-one-device-01234567=a.b.c"
    without_tls = "X-Forwarded-Proto", "http"

    assert device_header(api_request, "/api/users/signin", cookie) is None
    assert device_header(api_request, "/api/users/signin", cookie, without_tls) == "a.b.c"


def test_at_most_five_device_cookies_are_forwarded(api_request: EdgeFunction) -> None:
    cookies = "; ".join(f"__Host-admit-one-device-0000000{n}=a.b.{n}" for n in range(9))

    assert device_header(api_request, "/api/users/signin", ("Cookie", cookies)) == "a.b.0 a.b.1 a.b.2 a.b.3 a.b.4"


def test_an_oversized_cookie_makes_no_header(api_request: EdgeFunction) -> None:
    assert authorization(api_request, ("Cookie", f"session=a.b.{'c' * 1532}"))
    assert authorization(api_request, ("Cookie", f"session=a.b.{'c' * 1533}")) is None


def test_a_token_fits(api_request: EdgeFunction) -> None:
    """Five of the longest that the edge passes on fit into API Gateway's limit for headers, with 2 KB to spare."""
    ring = KeyRing("unused")
    ring._keys.put((Key("8e03978e-40d5-43dd-bc93-6894a57f9324", "k" * 64),))
    session = Session(id=new_id(), client="Samsung Internet on Android", created_at=clock.now())
    token = Tokens(ring, stage="a-stage-of-20-chars-").issue(UserID(new_id()), session)

    assert len(token) < 512
    assert authorization(api_request, ("Cookie", f"__Host-admit-one={token}")) == f"Bearer {token}"
    assert 5 * (1536 + 1) + len("authorization: Session ") < 10_240 - 2_048


def test_edge_and_auth_agree_on_names_and_number_of_candidates() -> None:
    source = (FUNCTIONS / "api_request.js").read_text()

    assert f"var MAX_TOKENS = {MAX_CANDIDATES};" in source
    assert f"var NAMES = ['{read_stage('dev').session_cookie}', '{OLD_COOKIE}'];" in source
    assert f"var NAMES_WITHOUT_TLS = ['{LOCAL.session_cookie}', '{OLD_COOKIE}'];" in source


PLAIN = ("X-Forwarded-Proto", "http")
SITES: dict[str, tuple[list[tuple[str, str]], str | None]] = {
    "a program": ([], None),
    "its own": ([("Origin", "https://tickets.example")], "same-origin"),
    "another": ([("Origin", "https://evil.example")], "cross-site"),
    "a sibling": ([("Origin", "https://evil.tickets.example")], "cross-site"),
    "another port": ([("Origin", "https://tickets.example:8443")], "cross-site"),
    "without TLS": ([("Origin", "http://tickets.example")], "cross-site"),
    "a sandboxed frame": ([("Origin", "null")], "cross-site"),
    "its own, locally": ([PLAIN, ("Origin", "http://tickets.example")], "same-origin"),
    "another, locally": ([PLAIN, ("Origin", "http://tickets.example:1")], "cross-site"),
    "sent by the browser": ([("Origin", "https://tickets.example"), ("Sec-Fetch-Site", "same-site")], "same-site"),
}


@pytest.mark.parametrize(("sent", "site"), SITES.values(), ids=SITES)
def test_a_missing_sec_fetch_site_is_derived_from_origin(
    api_request: EdgeFunction, sent: list[tuple[str, str]], site: str | None
) -> None:
    after = dict(headers_of(api_request, *sent))

    assert after.get("sec-fetch-site") == site
    assert "host" not in after


def test_the_edge_sets_the_viewer_address(api_request: EdgeFunction) -> None:
    assert headers_of(api_request, ("X-Admit-One-Viewer", "6.6.6.6")) == [("x-admit-one-viewer", "203.0.113.7")]


@pytest.mark.parametrize(
    "path",
    [
        "/tickets/01KB/edit",
        "/orders",
        "/nowhere",
        "/assets",
        "/a.b/c",
        "/a.b/",
        "/index",
        "//",
        "/.well-known/change-password",
    ],
)
def test_every_page_but_the_first_has_one_document(page_request: EdgeFunction, path: str) -> None:
    assert page_request(method="GET", uri=path, headers=[], viewer="::1") == ("/page.html", [])


def test_the_first_page_has_a_document_of_its_own(page_request: EdgeFunction) -> None:
    """It starts to load the tickets on sale, which no other page shows."""
    assert page_request(method="GET", uri="/", headers=[], viewer="::1") == ("/index.html", [])


@pytest.mark.parametrize(
    "path",
    [
        "/index.html",
        "/page.html",
        "/assets/index-1a2b.js",
        "/favicon.ico",
        "/a/b.png",
        "/../secret.js",
        "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200",
    ],
)
def test_a_file_path_is_kept_even_if_the_file_is_missing(page_request: EdgeFunction, path: str) -> None:
    assert page_request(method="GET", uri=path, headers=[], viewer="::1") == (path, [])


def test_the_functions_fit_cloudfronts_runtime() -> None:
    """cloudfront-js-2.0: at most 10 KB, only built-in modules, no DOM (CloudFront Developer Guide)."""
    for name in ("api_request", "page_request"):
        source = (FUNCTIONS / f"{name}.js").read_text()
        assert len(source.encode()) <= 10 * 1024
        assert re.search(r"^function handler\(event\) \{$", source, re.MULTILINE)
        assert not re.search(
            r"(?<![\w-])(import|require|class|window|fetch|process)(?![\w-])", source.partition("function")[2]
        )
