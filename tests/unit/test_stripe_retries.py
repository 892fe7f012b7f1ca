"""How long a call to Stripe waits for an answer, and which answers allow another attempt."""

import socket
import time

import pytest
import stripe

from functions.payments.stripe_gateway import Urllib3Client, _may_be_repeated


@pytest.mark.parametrize(
    ("status", "should_retry", "expected"),
    [
        (409, None, True),
        (500, None, True),
        (503, "true", True),
        (500, "false", False),
        (400, None, False),
        (402, None, False),
        (429, None, False),
    ],
)
def test_conflicts_and_server_errors_are_repeated(status: int, should_retry: str | None, *, expected: bool) -> None:
    headers = {"Stripe-Should-Retry": should_retry} if should_retry else {}
    error = stripe.APIError("refused", http_status=status, headers=headers)

    assert _may_be_repeated(error) is expected


def test_connection_errors_are_repeated() -> None:
    assert _may_be_repeated(stripe.APIConnectionError("reset"))  # type: ignore[no-untyped-call]


def test_a_call_ends_at_its_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(stripe.APIConnectionError):
            Urllib3Client(0.1).request("get", f"http://127.0.0.1:{silent.getsockname()[1]}/", {})

    assert 0.1 <= time.monotonic() - started < 2
