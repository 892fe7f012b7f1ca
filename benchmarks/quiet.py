"""Silences handlers that run inside a benchmark."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from logging import StreamHandler
from pathlib import Path

from shared.telemetry import logger


@contextmanager
def quiet() -> Iterator[None]:
    """Format log lines as usual, but discard them."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        writing = [handler for handler in logger.handlers if isinstance(handler, StreamHandler)]
        before = [handler.setStream(nowhere) for handler in writing]
        try:
            yield
        finally:
            for handler, stream in zip(writing, before, strict=True):
                if stream is not None:
                    handler.setStream(stream)
