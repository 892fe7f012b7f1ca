"""An edge proxy in a thread of its own, for tests that call it over sockets."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from local.edge.proxy import EdgeProxy


class ServedProxy:
    """Listens on `port` until `stop`. The settings are those of EdgeProxy."""

    def __init__(self, **settings: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._proxy, self.port = self._run(_start(settings))

    def stop(self) -> int:
        """Stop it and return the number of requests that were cut off."""
        left = self._run(self._proxy.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        return left

    def _run[T](self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


async def _start(settings: dict[str, Any]) -> tuple[EdgeProxy, int]:
    proxy = EdgeProxy(**settings)
    return proxy, await proxy.start(0)


@contextmanager
def serving(**settings: Any) -> Iterator[ServedProxy]:
    """Serve for the duration of a block."""
    proxy = ServedProxy(**settings)
    try:
        yield proxy
    finally:
        proxy.stop()
