"""Arguments and options that several commands have, what they need, and how they print data."""

from __future__ import annotations

import functools
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

import typer

from automtl.config import ExecutorName
from automtl.extras import require

__all__ = [
    "INTERRUPTED",
    "NO",
    "Address",
    "AsJson",
    "Encoding",
    "Engine",
    "Executor",
    "Overrides",
    "RunPath",
    "SpecPath",
    "Track",
    "Workers",
    "json_text",
    "needs_search",
    "resume_command",
]

P = ParamSpec("P")
R = TypeVar("R")

NO = 1  # the exit code of "it worked, and the answer is no"
INTERRUPTED = 130

SpecPath = Annotated[Path, typer.Argument(metavar="SPEC", help="The YAML file of the search.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="The directory of a search.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change the spec: search.trials=3."),
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Trials at once; as many as fit if left out.")
]
Executor = Annotated[
    ExecutorName,
    typer.Option(help="Ray, processes of this machine, or one trial at a time in this process."),
]
Engine = Annotated[
    Literal["auto", "torch", "onnx"],
    typer.Option(help="Who computes; auto: ONNX Runtime where the bundle has a graph for it."),
]
Encoding = Annotated[str, typer.Option(metavar="NAME", help="Of a text file: latin1, gb18030, ...")]
Track = Annotated[
    list[str] | None,
    typer.Option(metavar="TOOL", help="Also tell mlflow, mlflow:URI or tensorboard."),
]
Address = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="A Ray cluster that runs already.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def needs_search(command: Callable[P, R]) -> Callable[P, R]:
    """The command; where a package of the extra `search` is not installed it says so before it
    does anything. Its help and its options are shown without them."""

    @functools.wraps(command)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        require("search", needed_by=f"automtl {command.__name__}")
        return command(*args, **kwargs)

    return checked


def resume_command() -> str:
    """What was called, which goes on where it stopped: some commands only if they are told to."""
    given = [one for one in sys.argv[1:] if one != "--resume"]
    is_told = given[:1] in (["search"], ["train"])
    return shlex.join(["automtl", *given, *(["--resume"] if is_told else [])])


def json_text(value: Any) -> str:
    """As commands print data: two blanks a level, no escapes where none are needed."""
    return json.dumps(value, indent=2, ensure_ascii=False)
