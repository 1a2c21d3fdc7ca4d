"""Arguments and options that several commands have, and how a command prints data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

__all__ = [
    "NO",
    "AsJson",
    "Engine",
    "ExecutorName",
    "Overrides",
    "RunPath",
    "SpecPath",
    "Track",
    "Workers",
    "json_text",
]

NO = 1  # the exit code of "it worked, and the answer is no"

SpecPath = Annotated[Path, typer.Argument(metavar="SPEC", help="The YAML file of the search.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="The directory of a search.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change the spec: search.trials=3."),
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Trials at once; as many as fit if left out.")
]
ExecutorName = Annotated[
    Literal["ray", "local"], typer.Option(help="Ray, or one trial at a time in this process.")
]
Engine = Annotated[
    Literal["auto", "torch", "onnx"],
    typer.Option(help="Who computes; auto: ONNX Runtime where the bundle has a graph for it."),
]
Track = Annotated[
    list[str] | None,
    typer.Option(metavar="TOOL", help="Also tell mlflow, mlflow:URI or tensorboard."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def json_text(value: Any) -> str:
    """As commands print data: two blanks a level, no escapes where none are needed."""
    return json.dumps(value, indent=2, ensure_ascii=False)
