"""A file lock that is released when the processes that hold it end, however they end."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any, Self


class Locked(RuntimeError):
    """Another process holds the lock; `holder` is the information it wrote."""

    def __init__(self, holder: dict[str, Any]) -> None:
        super().__init__(str(holder))
        self.holder = holder


class Lock:
    """Held from construction until `close`, and by every process that inherits `descriptor`. Raises Locked."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = read_holder(path)
            self._file.close()
            raise Locked(holder) from None
        self.describe({})

    @property
    def descriptor(self) -> int:
        return self._file.fileno()

    def describe(self, holder: dict[str, Any]) -> None:
        """Write information for processes that find the lock held."""
        self._file.truncate(0)
        self._file.write(json.dumps({"pid": os.getpid(), **holder}))
        self._file.flush()

    def close(self) -> None:
        self._file.truncate(0)
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_holder(path: Path) -> dict[str, Any]:
    """Read the holder's information; empty if there is none."""
    try:
        holder = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def is_held(path: Path) -> bool:
    try:
        Lock(path).close()
    except Locked:
        return True
    return False
