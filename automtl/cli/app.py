"""The command line: reads arguments, calls one function, prints what comes back.

Each command imports what it needs itself: `--help` must not wait for torch, ray or pandas.
Data goes to stdout, everything else to stderr. Exit codes: 0 done; 1 it worked and the answer is
no; 2 could not start; 3 our mistake; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from automtl import __version__
from automtl.cli import data
from automtl.cli.completion import answer_shells, completion
from automtl.cli.confirm import confirm
from automtl.cli.doctor import doctor
from automtl.cli.export import export
from automtl.cli.fuse import fuse
from automtl.cli.options import INTERRUPTED, needs_search
from automtl.cli.predict import predict
from automtl.cli.results import pareto, report, status
from automtl.cli.search import search
from automtl.cli.serve import serve
from automtl.cli.spec import init, schema, validate
from automtl.cli.train import train
from automtl.errors import AutomtlError, SpecError
from automtl.extras import missing_told

__all__ = ["app", "main"]

INTERNAL = 3

app = typer.Typer(
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Search architectures of multi-task recommenders and see the trade-off.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: a third of the start-up time, and it can be piped
)

# in the order of their help
app.command()(init)
app.command()(validate)
app.command()(needs_search(doctor))
app.command()(schema)
app.command()(completion)
app.command()(needs_search(search))
app.command()(needs_search(confirm))
app.command()(needs_search(status))
app.command()(needs_search(pareto))
app.command()(needs_search(report))
app.command()(needs_search(export))
app.command()(predict)
app.command()(serve)
app.command()(needs_search(train))
app.command()(needs_search(fuse))
app.add_typer(data.app, name="data")


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"automtl {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit the program. Every error a user can meet ends in one message.

    Never returns: raises SystemExit with one of the exit codes above.
    """
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for some takes 50 ms
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # a stream that was replaced, in a test or a notebook
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    answer_shells()
    try:
        with missing_told(needed_by="automtl"):
            app(args=None if arguments is None else list(arguments), prog_name="automtl")
    except SpecError as error:
        _fail(_picture(error), error.exit_code)
    except AutomtlError as error:
        _fail(f"error: {error}", error.exit_code)
    except KeyboardInterrupt:
        _fail("interrupted", INTERRUPTED)
    except Exception:
        _fail(
            f"{traceback.format_exc()}\n"
            f"error: this is a bug of automtl {__version__}, not a mistake of yours; "
            "please report it with the lines above",
            INTERNAL,
        )


def _fail(message: str, code: int) -> None:
    sys.stderr.write(f"{message}\n")
    raise SystemExit(code)


def _picture(error: SpecError) -> str:
    """The problems with their source lines and carets, and how many there are."""
    from automtl.spec.diagnostics import render

    content = ""
    with suppress(OSError, UnicodeDecodeError):
        content = Path(error.source).read_text(encoding="utf-8")
    color = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    count = len(error.diagnostics)
    end = f"\n{count} problems" if count > 1 else ""
    return render(error, content, color=color) + end
