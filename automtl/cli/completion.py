"""`automtl completion`: tab completion for shells."""

from __future__ import annotations

import os
from typing import Annotated, Literal

import typer

__all__ = ["answer_shells", "completion"]

VARIABLE = "_AUTOMTL_COMPLETE"  # in which a shell's script says what it asks


def completion(
    shell: Annotated[
        Literal["bash", "zsh", "fish"],
        typer.Argument(metavar="SHELL", help="bash, zsh or fish."),
    ],
) -> None:
    """Print a script with which a shell completes commands."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    from automtl.terminal import console

    console.emit(get_completion_script(prog_name="automtl", complete_var=VARIABLE, shell=shell))


def answer_shells() -> None:
    """Lets the program answer what such a script asks; costs nothing where none asks."""
    if VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
