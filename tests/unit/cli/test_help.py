"""What `--help` says of every command, kept as files: the walk finds new commands by itself.

`UPDATE_GOLDEN=1 pytest tests/unit/cli/test_help.py` writes `tests/golden/help/` anew; the diff is
then read like any other.
"""

import os
from collections.abc import Iterator

import pytest
from support.golden import FOLDER, check
from typer.main import get_command

from automtl.cli.app import app, main

HELP = FOLDER / "help"


def walk(command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """A command and all below it, each after the words that lead to it; none that is hidden."""
    if not command.hidden:
        yield path, command
        for name, below in getattr(command, "commands", {}).items():
            yield from walk(below, (*path, name))


COMMANDS = dict(walk(get_command(app)))


def file_name(command: tuple[str, ...]) -> str:
    return f"{'-'.join(('automtl', *command))}.txt"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    out, err = capsys.readouterr()
    assert (end.value.code or 0, err) == (0, "")
    check(f"help/{file_name(command)}", out)
    usage, *lines = out.splitlines()
    assert all(len(line) <= 80 for line in (usage, *lines))
    assert not [line for line in lines if line.endswith("...")]  # a summary that was cut


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_argument_and_option_is_explained(command):
    shown = [one for one in COMMANDS[command].params if not getattr(one, "hidden", False)]
    assert [one.name for one in shown if not one.help] == []
    assert COMMANDS[command].help


def test_no_help_is_kept_of_a_command_that_is_gone():
    known = {file_name(command) for command in COMMANDS}
    if os.environ.get("UPDATE_GOLDEN"):
        for path in HELP.glob("*.txt"):
            if path.name not in known:
                path.unlink()
    assert {path.name for path in HELP.glob("*.txt")} == known
