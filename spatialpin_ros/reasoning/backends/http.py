# SPDX-License-Identifier: Apache-2.0
"""An HTTP client each of whose requests ends in time, however slowly the server writes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

import httpx

Result = TypeVar("Result")


class BoundedClient:
    """Posts JSON over one connection pool.

    The timeouts of httpx are those of one read, which a server that sends a blank now and then never reaches; only a
    coroutine can be ended as a whole. The requests run on an event loop in a thread of their own, started with the
    first one, so that they can also be made where a loop runs already.

    Args:
        headers: of every request.
        timeout_s: of one request, from the connection to the last byte of the reply.
    """

    def __init__(self, headers: Mapping[str, str], timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(headers=dict(headers), timeout=timeout_s)
        self._loop: asyncio.AbstractEventLoop | None = None

    def post(self, url: str, body: Mapping[str, Any]) -> httpx.Response:
        """Post a document and read the whole reply.

        Raises:
            httpx.TimeoutException: the request took longer than `timeout_s`.
            httpx.HTTPError: the server cannot be reached.
        """
        try:
            return self._await(asyncio.wait_for(self._client.post(url, json=body), self._timeout_s))
        except asyncio.TimeoutError as error:
            raise httpx.ReadTimeout(f"no whole reply within {self._timeout_s:g} s") from error

    def close(self) -> None:
        """Close the connections; a second time does nothing."""
        if self._loop is None:
            return
        self._await(self._client.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._loop = None

    def _await(self, work: Coroutine[Any, Any, Result]) -> Result:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=_run, args=(self._loop,), name="http", daemon=True).start()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()
