"""Runs ministack 1.5.33 with three mistakes of it mended, under its own interpreter: `python ministack_mended.py`.

They would make the app look broken where on AWS it is not. Nothing else of ministack is touched, and its version is
pinned; try without this file when that changes.
"""

import importlib
from typing import Any

app: Any = importlib.import_module("ministack.app")
functions: Any = importlib.import_module("ministack.services.lambda_svc")
queues: Any = importlib.import_module("ministack.services.sqs")

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


def _keep_queues_under_one_address() -> None:
    """ministack keeps queues under addresses that hold its port.

    Started again at another port, it would hand no message of theirs to a function. Callers see the port that they use.
    """
    queues.DEFAULT_PORT = "4566"
    queues._CANONICAL_NETLOC = f"{queues.DEFAULT_HOST}:{queues.DEFAULT_PORT}"  # noqa: SLF001


if __name__ == "__main__":
    _keep_queues_under_one_address()
    app._send_response = _send_response_that_may_be_empty  # noqa: SLF001
    functions.load_persisted_state = _load_and_read_streams_from_their_beginning
    app.main()
