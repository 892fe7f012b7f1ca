"""A fake EventBridge bus that records its entries and can refuse them."""

import sys
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from tests.support import grants


class FakeEventBus:
    """Fake EventBridge client. `calls` holds the entries of each call."""

    def __init__(self) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self.refused: list[str] = []  # detail types to refuse, each once
        self.code = "ThrottlingException"  # the error code of refused entries
        self.invalid: list[str] = []  # detail types that fail the whole call
        self.is_down = False

    @property
    def taken(self) -> list[dict[str, Any]]:
        """Return the accepted entries."""
        return [entry for entries in self.calls for entry in entries if "refused" not in entry]

    def put_events(self, *, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
        assert 1 <= len(Entries) <= 10, "EventBridge takes 1 to 10 entries"
        grants.check("events", "PutEvents", {"Entries": Entries}, caller=sys._getframe(1))
        entries = [dict(entry) for entry in Entries]
        self.calls.append(entries)
        if self.is_down:
            for entry in entries:
                entry["refused"] = True
            raise ClientError({"Error": {"Code": "InternalException", "Message": "down"}}, "PutEvents")
        if any(entry["DetailType"] in self.invalid for entry in entries):
            for entry in entries:
                entry["refused"] = True
            raise ClientError({"Error": {"Code": "ValidationException", "Message": "too large"}}, "PutEvents")
        answers = []
        for entry in entries:
            if entry["DetailType"] in self.refused:
                self.refused.remove(entry["DetailType"])
                entry["refused"] = True
                answers.append({"ErrorCode": self.code, "ErrorMessage": "refused"})
            else:
                answers.append({"EventId": "1"})
        return {"FailedEntryCount": sum("ErrorCode" in answer for answer in answers), "Entries": answers}
