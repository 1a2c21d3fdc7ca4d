"""The machine of the search, from another machine of its Ray cluster.

They need share no disk. What a worker reads or writes at home is a small task that Ray runs there;
the pieces of files travel through Ray's object store, one at a time. Where all machines see the
encoded rows, or a worker runs at home, there are no pieces.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from automtl.data.copies import PIECE_BYTES, at_hand, list_files, read_piece
from automtl.data.paths import cache_root
from automtl.errors import DataError, RunError
from automtl.search.disk import disk_failure
from automtl.search.home import HERE, Home, aside_of
from automtl.search.scratch import scratch_directory, scratch_root

__all__ = ["home_from", "this_node"]


def this_node() -> str:
    """Ray's id of the machine that this process runs on."""
    return str(ray.get_runtime_context().get_node_id())


def home_from(node: str) -> Home:
    """The search's machine `node`, as it is to be reached from this process."""
    return HERE if node == this_node() else _Away(node)


class _Away:
    """The worker runs on another machine than the search."""

    def __init__(self, node: str) -> None:
        strategy = NodeAffinitySchedulingStrategy(node, soft=False)
        self._at_home = _at_home.options(scheduling_strategy=strategy)
        self._note: Any = None  # the last one, which may not have arrived

    def rows(self, cache_dir: Path, fingerprint: str, *, on_wait: Callable[[], None]) -> Path:
        try:
            return at_hand(cache_dir, fingerprint, self, on_wait=on_wait)
        except DataError as error:
            address = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
            raise RunError(
                f"node {address}: the encoded rows cannot come to this "
                f"machine: {error}; give {cache_root()} room there, or set AUTOMTL_CACHE before "
                "`ray start` on it to a directory that can be written, or data.cache in the spec "
                "to one that every machine sees; then go on with --resume"
            ) from error

    def list_files(self, directory: Path) -> dict[str, int]:
        files: dict[str, int] = self._ask(list_files, directory)
        return files

    def read_piece(self, path: Path, offset: int, num_bytes: int) -> bytes:
        piece: bytes = self._ask(read_piece, path, offset, num_bytes)
        return piece

    @contextmanager
    def keeping(self, path: Path) -> Iterator[Path]:
        with ExitStack() as stack:
            with _own_disk_told():
                scratch = stack.enter_context(scratch_directory())
                yield scratch / path.name
            self._send(scratch / path.name, path)

    def _send(self, file: Path, path: Path) -> None:
        aside, num_bytes = aside_of(path), file.stat().st_size
        try:
            for offset in range(0, max(num_bytes, 1), PIECE_BYTES):
                self._ask(_write_piece, aside, offset, read_piece(file, offset, PIECE_BYTES))
            self._ask(Path.replace, aside, path)
        except OSError:
            with suppress(OSError):
                self._ask(HERE.forget, aside)
            raise

    def note(self, path: Path, text: str) -> None:
        if self._note is None or ray.wait([self._note], timeout=0)[0]:
            self._note = self._at_home.remote(HERE.note, path, text)

    def forget(self, path: Path) -> None:
        if self._note is not None:  # or it would arrive afterwards
            ray.wait([self._note])
        with suppress(OSError):
            self._ask(HERE.forget, path)

    def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            answer = ray.get(self._at_home.remote(function, *arguments))
        except ray.exceptions.RayError as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            reason = f"the search's machine is not reached: {lines[-1]}"
            raise OSError(errno.EHOSTUNREACH, reason) from error  # no number of a failing disk
        if isinstance(answer, OSError):
            raise answer
        return answer


@contextmanager
def _own_disk_told() -> Iterator[None]:
    """Says of a disk of this machine that fails that it is not the search's: of each trial that
    comes here the same would become."""
    try:
        yield
    except Exception as error:
        address = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        if failure := disk_failure(error, f"node {address}: {scratch_root()}"):
            raise failure from error
        raise


@ray.remote(num_cpus=0)
def _at_home(function: Callable[..., Any], *arguments: Any) -> Any:
    """What `function` returns; an OSError travels as a value, as Ray wraps what is raised."""
    try:
        return function(*arguments)
    except OSError as error:
        return error


def _write_piece(path: Path, offset: int, piece: bytes) -> None:
    """At `offset`, after which the file ends: a task that Ray runs twice does no harm."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644), "wb") as file:
        file.truncate(offset)
        file.seek(offset)
        file.write(piece)
