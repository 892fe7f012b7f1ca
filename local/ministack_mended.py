"""Runs ministack 1.5.33 with two mistakes of it mended, under its own interpreter: `python ministack_mended.py`.

Both would make the app look broken where on AWS it is not. Nothing else of ministack is touched, and its version is
pinned; try without this file when that changes.
"""

import importlib
from typing import Any

app: Any = importlib.import_module("ministack.app")
functions: Any = importlib.import_module("ministack.services.lambda_svc")

_send_response = app._send_response  # noqa: SLF001
_load_persisted_state = functions.load_persisted_state


async def _send_response_that_may_be_empty(send: Any, status: int, headers: Any, body: Any, **options: Any) -> None:
    """A function may answer `"body": null`, as a 204 does; ministack then answers 500."""
    await _send_response(send, status, headers, b"" if body is None else body, **options)


def _load_and_read_streams_from_their_beginning(data: Any) -> None:
    """ministack keeps how many records of a table's stream were read, but not the records.

    As many writes after a restart would never be published.
    """
    _load_persisted_state(data)
    positions = functions._dynamodb_stream_positions._data  # noqa: SLF001
    for mapping in positions:
        positions[mapping] = 0


if __name__ == "__main__":
    app._send_response = _send_response_that_may_be_empty  # noqa: SLF001
    functions.load_persisted_state = _load_and_read_streams_from_their_beginning
    app.main()
