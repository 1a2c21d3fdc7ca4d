"""The page of a run that still goes on, served to the browsers of this machine alone.

Whoever has the page open asks for `/version` every few seconds (`live.js`), and loads the page
anew when there is a newer one. Rendering takes the processor from the search, so it happens only
when somebody asks, and never for more than a small share of the time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from automtl import rundir
from automtl.errors import RunError
from automtl.report.page import render_report
from automtl.study import Study

__all__ = ["LivePage", "LiveServer", "Served", "serve_report", "version"]

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")  # another name that leads here is a foreign page's, reading along
REST = 10  # how many times as long as a rendering took there is none after it
RETRY_S = 5


def serve_report(
    run_dir: Path,
    *,
    port: int = 0,
    not_measured: Mapping[str, str] | None = None,
    announce: Callable[[str], None],
) -> None:
    """Serve the page of the run until Ctrl-C; `announce` is given its address when it is there.

    Port 0 is any free one; `not_measured` is that of `render_report`. Raises RunError if the port
    cannot be had.
    """

    def render(version: str) -> str:
        return render_report(Study.open(run_dir), not_measured=not_measured, version=version)

    page = LivePage(render, version=lambda: version(run_dir))
    with LiveServer(page, port=port) as server, suppress(KeyboardInterrupt):
        announce(server.url)
        server.serve_forever()


def version(run_dir: Path) -> str:
    """A text that is another one whenever something that the page shows of the run has changed."""
    parts = [str(int(rundir.is_locked(run_dir)))]
    for name in (rundir.JOURNAL, rundir.INSIDE, rundir.CONFIRM):
        with suppress(FileNotFoundError):
            seen = (run_dir / name).stat()
            parts.append(f"{seen.st_size:x}.{seen.st_mtime_ns:x}")
    return "-".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A page, and the version of the run that it shows."""

    version: str
    html: bytes


class LivePage:
    """The page as it is now: rendered when it is asked for and the run has changed.

    `render` makes the page of a version. After it took t seconds the page stays as it is for
    another `REST` t seconds at least.
    """

    def __init__(
        self,
        render: Callable[[str], str],
        *,
        version: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._render, self._version, self._clock = render, version, clock
        self._served: Served | None = None
        self._rests_until = -float("inf")
        self._rendering = threading.Lock()

    def current(self) -> Served:
        """The page; whoever asks while a newer one is rendered gets the one before.

        Raises whatever `render` does; the next call tries again.
        """
        if not self._rendering.acquire(blocking=self._served is None):
            assert self._served is not None
            return self._served
        try:
            return self._renewed()
        finally:
            self._rendering.release()

    def _renewed(self) -> Served:
        started = self._clock()
        if self._served is not None and started < self._rests_until:
            return self._served
        version = self._version()  # before rendering: what changes meanwhile is in the next page
        if self._served is None or self._served.version != version:
            html = self._render(version).encode()
            ended = self._clock()
            self._rests_until = ended + REST * (ended - started)
            self._served = Served(version=version, html=html)
        return self._served


class LiveServer(ThreadingHTTPServer):
    """Answers `/` with the page and `/version` with its version, on loopback; 500 with the reason
    where it could not be rendered. Raises RunError if the port cannot be had."""

    def __init__(self, page: LivePage, *, port: int) -> None:
        self.page = page
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise RunError(
                f"--port {port}: cannot be served on ({error.strerror}); "
                "give another, or leave it out for a free one"
            ) from error

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: LiveServer

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if urlsplit(f"//{self.headers.get('Host', '')}").hostname not in NAMES:
            self._answer(403, f"this page is at {self.server.url} only")
        elif path not in ("/", "/version"):
            self._answer(404, f"there is nothing here; the page is at {self.server.url}")
        else:
            self._answer_page(path)

    def _answer_page(self, path: str) -> None:
        try:
            served = self.server.page.current()
        except Exception as error:  # whatever it is, the next rendering may succeed
            reason = f"{type(error).__name__}: {error}"
            self._answer(500, f"the page could not be rendered, it is tried again\n\n{reason}")
            return
        if path == "/":
            self._answer(200, served.html, kind="text/html")
        else:
            self._answer(200, served.version)

    def _answer(self, status: int, body: str | bytes, *, kind: str = "text/plain") -> None:
        content = body.encode(errors="replace") if isinstance(body, str) else body
        with suppress(ConnectionError):  # a reader that did not wait
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            if status == 500:
                self.send_header("Refresh", str(RETRY_S))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002
        """Nothing: a line every few seconds would bury the address."""
