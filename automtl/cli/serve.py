"""`automtl serve`: a bundle over HTTP."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from automtl.cli.options import Engine

__all__ = ["serve"]

MIB = 2**20
OPEN = "no authentication: whoever reaches this address can have rows scored"


def serve(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A directory of `export`.")],
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where to listen; 0: any free one.")
    ] = 8000,
    allow_remote: Annotated[
        bool,
        typer.Option("--allow-remote", help="Let --host be an address that others can reach."),
    ] = False,
    max_rows: Annotated[int, typer.Option(min=1, help="Rows of a request.")] = 10_000,
    max_body_mb: Annotated[float, typer.Option(min=0.001, help="MiB of a request's body.")] = 8.0,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Requests scored at once; one a processor.")
    ] = None,
    queue: Annotated[
        int, typer.Option(min=0, help="Requests that may wait; more are answered with 503.")
    ] = 64,
    missing_ok: Annotated[
        bool, typer.Option("--missing-ok", help="Take a column that a row lacks as missing.")
    ] = False,
    engine: Engine = "auto",
) -> None:
    """Score rows over HTTP; it has no authentication of its own."""
    from automtl.extras import require
    from automtl.serving.run import bind, check_address
    from automtl.serving.run import serve as serve_app
    from automtl.terminal import console

    check_address(host, allow_remote=allow_remote)
    require("serve", needed_by="automtl serve")
    from automtl.export.bundle import Bundle
    from automtl.serving.app import Limits, make_app
    from automtl.threads import single_threaded

    limits = Limits(
        max_rows=max_rows,
        max_body_bytes=int(max_body_mb * MIB),
        threads=threads or len(os.sched_getaffinity(0)),
        queue=queue,
        missing_ok=missing_ok,
    )
    loaded = Bundle.load(bundle, engine=engine, num_threads=1)  # of each request
    with single_threaded(), bind(host, port) as bound:
        app = make_app(loaded, limits=limits)
        console.error(f"{OPEN}; stop with Ctrl-C")
        serve_app(app, bound, announce=console.emit)
    console.error("stopped")
