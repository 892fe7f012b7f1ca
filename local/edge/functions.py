"""Runs CloudFront's functions unchanged, so that the edge's rules in JavaScript also apply to the edge proxy."""

import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from py_mini_racer import MiniRacer

from local import ROOT
from local.edge.answer import Headers

FUNCTIONS = ROOT / "cdk" / "edge_functions"


class EdgeFunction:
    """One viewer-request function. Call it from one thread only.

    A call blocks for a fraction of a millisecond, while V8 works in its own thread. If created in an event loop, the
    engine uses that one.
    """

    def __init__(self, name: str) -> None:
        self._engine = MiniRacer()
        self._engine.eval(Path(FUNCTIONS / f"{name}.js").read_text())

    def __call__(
        self, *, method: str, uri: str, headers: Iterable[tuple[str, str]], viewer: str
    ) -> tuple[str, Headers]:
        """Return the path and the headers as the function leaves them.

        The function sees the last value of a repeated header.
        Headers that it does not change are forwarded as they came, those that it deletes are not; cookies are forwarded
        all or not at all. The function may read `Host`, but it is not forwarded: the API has its own.
        """
        came = list(headers)
        seen = {name.lower(): {"value": value} for name, value in came}
        cookies = _cookies(value for name, value in came if name.lower() == "cookie")
        seen.pop("cookie", None)  # CloudFront passes cookies separately
        request = {"method": method, "uri": uri, "querystring": {}, "headers": seen, "cookies": cookies}
        context = {"requestId": uuid.uuid4().hex}
        event = {"version": "1.0", "context": context, "viewer": {"ip": viewer}, "request": request}
        answer: dict[str, Any] = self._engine.call("handler", event)
        changed = {name: value["value"] for name, value in answer["headers"].items() if seen.get(name) != value}
        deleted = seen.keys() - answer["headers"].keys()
        dropped = {"host", *changed, *deleted} | (set() if answer["cookies"] else {"cookie"})
        return answer["uri"], [pair for pair in came if pair[0].lower() not in dropped] + list(changed.items())

    def close(self) -> None:
        self._engine.close()


def _cookies(headers: Iterable[str]) -> dict[str, Any]:
    """Cookies in CloudFront's form: a repeated name has all its values in `multiValue`."""
    found: dict[str, list[str]] = {}
    for pair in "; ".join(headers).split(";"):
        name, is_pair, value = pair.strip().partition("=")
        if is_pair:
            found.setdefault(name, []).append(value)
    return {
        name: {"value": values[0]} | ({"multiValue": [{"value": each} for each in values]} if len(values) > 1 else {})
        for name, values in found.items()
    }
