"""A body in, an answer out, in threads of its own; more than it can do at once is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus

import polars as pl

from automtl.data.batch import Batch
from automtl.data.columns import ColumnError
from automtl.errors import DataError
from automtl.export.blocks import score_rows
from automtl.export.bundle import Bundle
from automtl.serving.problems import RequestError
from automtl.serving.rows import RowReader

__all__ = ["Scorer"]


class Scorer:
    """Scores requests on `threads` threads; `queue` others may wait or arrive meanwhile."""

    def __init__(self, bundle: Bundle, reader: RowReader, *, threads: int, queue: int) -> None:
        self._bundle, self._reader = bundle, reader
        self._most, self._admitted = threads + queue, 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="score")

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """A place for one request, from before its body is read; RequestError where there is none.

        For the thread of the event loop alone: nothing is locked.
        """
        if self._admitted >= self._most:
            raise RequestError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{self._most} requests are in work already (--threads, --queue); try again later",
            )
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    async def answer(self, body: bytes) -> bytes:
        """JSON: {"scores": [{…}, …]}, a row each in their order. RequestError for other rows."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, body)

    def _answer(self, body: bytes) -> bytes:
        rows = self._reader.read(body)
        try:
            inputs = self._bundle.encoder.transform(Batch(rows))
        except ColumnError as error:
            raise RequestError.of_columns(error, rows.columns) from error
        except DataError as error:
            raise RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        scores = score_rows(self._bundle, inputs)
        # as float64, so that the digits are those of the float32 itself
        digits = pl.DataFrame([values.cast(pl.Float64) for values in scores])
        return b'{"scores":' + digits.write_json().encode() + b"}"

    def close(self) -> None:
        """Waits for what is running."""
        self._pool.shutdown(wait=True)
