"""A service on a socket, until it is told to stop."""

from __future__ import annotations

import gc
import ipaddress
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from automtl.errors import UserError

__all__ = ["bind", "check_address", "serve"]

KEEP_ALIVE_S = 65  # longer than the 60 s of usual proxies, which then close first
STOP_WITHIN_S = 30
MOST_CONNECTIONS = 1024


def check_address(host: str, *, allow_remote: bool) -> None:
    """UserError for an address that others reach, unless `allow_remote`."""
    if not allow_remote and not _is_loopback(host):
        raise UserError(
            f"--host {host}: others can reach this address, and the service asks nobody who they "
            "are; put a proxy that does in front of 127.0.0.1, or write --allow-remote"
        )


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 is any free one. UserError where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=MOST_CONNECTIONS)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"--host {host} --port {port}: cannot be served on ({reason}); give another"
        ) from error


def serve(app: Any, bound: socket.socket, *, announce: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM, then finishes what is running, within 30 s.

    `announce` is given the address when it can be asked.
    """
    import uvicorn

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nobody is told who asks
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_WITHIN_S,
        ws="none",
    )
    host, port = bound.getsockname()[:2]
    announce(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    gc.freeze()  # what is loaded stays, and need not be looked through while requests wait
    # uvicorn raises the signals that it was stopped by again, when all is done
    before = signal.signal(signal.SIGTERM, _nothing)
    try:
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[bound])
    finally:
        gc.unfreeze()
        signal.signal(signal.SIGTERM, before)


def _nothing(number: int, frame: FrameType | None) -> None:
    pass


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name: whoever resolves it decides
        return False
