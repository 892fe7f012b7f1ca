"""The functions that functions call, run in this process in place of HTTP."""

import importlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

from shared import aws

NAMES = {f"{service.upper()}_FUNCTION": service for service in ("tickets", "orders", "payments")}
"""The functions' names, in the environment of those that call them: each is the name of its service."""


class CalledFunctions:
    """Runs each call by `run(service, question)`, or answers as Lambda does if the function fails.

    `calls` are the questions and their services.
    """

    def __init__(self, run: Callable[[str, Any], Any]) -> None:
        self._run = run
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.error: Exception | None = None
        """Raised by each call."""

    def answer(self, *, params: dict[str, Any], **_: object) -> tuple[Any, dict[str, Any]]:
        service = unquote(params["url_path"].split("/")[-2])
        question = json.loads(params["body"])
        self.calls.append((service, question))
        if self.error:
            raise self.error
        try:
            payload = self._run(service, question)
        except Exception as error:
            failed = {"errorMessage": str(error), "errorType": type(error).__name__}
            return _Ok(), {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(failed).encode())}
        return _Ok(), {"Payload": io.BytesIO(json.dumps(payload).encode())}


class _Ok:
    status_code = 200


@contextmanager
def replaced(run: Callable[[str, Any], Any]) -> Iterator[CalledFunctions]:
    """Replace Lambda for this process's client."""
    found = CalledFunctions(run)
    events: Any = aws.functions().meta.events  # its type does not know that a handler may answer
    events.register("before-call.lambda.Invoke", found.answer)
    try:
        yield found
    finally:
        events.unregister("before-call.lambda.Invoke", found.answer)


def in_process(environment: Mapping[str, str]) -> Any:
    """Return a client whose calls run in this process, on the tables of this environment."""

    def invoke(*, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        outside = os.environ["TABLE_NAME"]
        os.environ["TABLE_NAME"] = environment[f"{FunctionName.upper()}_TABLE"]
        try:
            module = importlib.import_module(f"functions.{FunctionName}.personal_data")
            return {"Payload": io.BytesIO(json.dumps(module.handler(json.loads(Payload), None)).encode())}
        except Exception:
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b"{}")}
        finally:
            os.environ["TABLE_NAME"] = outside

    return SimpleNamespace(invoke=invoke)
