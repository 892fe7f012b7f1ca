"""How a client is described to its user."""

import pytest

from functions.auth.session import describe_client

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
CLIENTS = {
    f"{WINDOWS} Chrome/141.0.0.0 Safari/537.36": "Chrome on Windows",
    f"{WINDOWS} Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0": "Edge on Windows",
    f"{WINDOWS} Chrome/141.0.0.0 Safari/537.36 OPR/122.0.0.0": "Opera on Windows",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": "Firefox on Linux",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1"
    ".15": "Safari on Mac",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/141.0"
    " Mobile/15E148 Safari/604.1": "Chrome on iPhone",
    "Mozilla/5.0 (Linux; Android 16; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/29.0 Chrome/136.0 Mobile"
    " Safari/537.36": "Samsung Internet on Android",
    "Mozilla/5.0": "browser",
    "Mozilla/5.0 (Windows NT 10.0)": "browser on Windows",
    "curl/8.9.1": "curl",
    "python-requests/2.32": "python-requests",
    "": "unknown client",
    "<script>alert(1)</script>": "unknown client",
    "\u202eevil": "unknown client",
}


@pytest.mark.parametrize(("user_agent", "words"), CLIENTS.items(), ids=CLIENTS.values())
def test_a_client_is_described_in_words(user_agent: str, words: str) -> None:
    assert describe_client(user_agent) == words


def test_a_client_without_the_header_is_unknown() -> None:
    assert describe_client(None) == "unknown client"


def test_a_description_is_short_whatever_is_sent() -> None:
    assert len(describe_client("x" * 5000)) <= 30
