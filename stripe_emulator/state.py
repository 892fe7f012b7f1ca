"""The account's tables, with one transaction at a time, and the journal that keeps them through a restart."""

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

type Json = dict[str, Any]


class BadJournal(ValueError):
    """The journal cannot be read. The text names the file and what to do."""


class Tables:
    """Rows by table and id, in the order of their first `put`.

    Writes are staged until `commit`. With a path, each commit appends one line to that file before it takes effect, so
    a killed process loses at most the request in flight; an incomplete last line is dropped when the file is read.
    Raises BadJournal if the file is damaged in any other way, and `commit` raises OSError if the line cannot be
    written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._tables: dict[str, dict[str, Json]] = {}
        self._staged: dict[tuple[str, str], Json | None] = {}
        self._journal: BinaryIO | None = None
        self._closed = False
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._replay(path)
            self._compact(path)
            self._journal = path.open("ab", buffering=0)

    def get(self, table: str, row_id: str) -> Json | None:
        """A copy of the row, to change and `put` back."""
        if (table, row_id) in self._staged:
            return copy.deepcopy(self._staged[table, row_id])
        return copy.deepcopy(self._tables.get(table, {}).get(row_id))

    def put(self, table: str, row_id: str, row: Json) -> None:
        self._staged[table, row_id] = copy.deepcopy(row)

    def delete(self, table: str, row_id: str) -> None:
        self._staged[table, row_id] = None

    def rows(self, table: str) -> Iterator[tuple[str, Json]]:
        """All committed rows, oldest first; not copies, so read-only."""
        yield from self._tables.get(table, {}).items()

    def newest(self, table: str) -> Iterator[Json]:
        """All committed rows, newest first; not copies, so read-only."""
        yield from reversed(self._tables.get(table, {}).values())

    def commit(self) -> None:
        if not self._staged:
            return
        if self._closed:
            # The caller gets an error rather than an answer that is lost at the next start.
            self._staged.clear()
            raise RuntimeError("The tables are closed.")
        changes = [[table, row_id, row] for (table, row_id), row in self._staged.items()]
        if self._journal is not None:
            try:
                _append(self._journal, json.dumps(changes, separators=(",", ":")).encode() + b"\n")
            except OSError:
                self._staged.clear()
                raise
        self._apply(changes)
        self._staged.clear()

    def rollback(self) -> None:
        self._staged.clear()

    def close(self) -> None:
        self._closed = True
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _apply(self, changes: list[list[Any]]) -> None:
        for table, row_id, row in changes:
            rows = self._tables.setdefault(table, {})
            if row is None:
                rows.pop(row_id, None)
            else:
                rows[row_id] = row

    def _replay(self, path: Path) -> None:
        if not path.exists():
            return
        with path.open(encoding="utf-8", errors="replace") as journal:
            for line in journal:
                try:
                    self._apply(json.loads(line))
                except (ValueError, TypeError) as error:
                    if line.endswith("\n"):
                        raise BadJournal(
                            f"The state saved in {path} cannot be read: {error}. "
                            "Restore the file, or delete all local data with: make reset"
                        ) from error
                    return

    def _compact(self, path: Path) -> None:
        """Replace the journal by one line with the tables' current content; also drops an incomplete last line."""
        changes = [[table, row_id, row] for table, rows in self._tables.items() for row_id, row in rows.items()]
        scratch = path.with_name(path.name + ".new")
        with scratch.open("w", encoding="utf-8") as journal:
            if changes:
                journal.write(json.dumps(changes, separators=(",", ":")) + "\n")
            journal.flush()
            os.fsync(journal.fileno())
        scratch.replace(path)


def _append(file: BinaryIO, line: bytes) -> None:
    """Append the whole line or nothing: half a line would damage all that follow."""
    start = file.seek(0, os.SEEK_END)
    try:
        while line:
            line = line[file.write(line) :]
    except OSError:
        file.truncate(start)
        raise
