"""Tab completion: the script that a shell reads, and what it is answered."""

import shutil
import subprocess

import pytest

from automtl.cli.app import main

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture
def call(capsys):
    """What `automtl` prints, and its exit code."""

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        return end.value.code or 0, capsys.readouterr().out

    return run


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_asks_this_program(call, shell):
    code, script = call("completion", shell)
    assert code == 0
    assert f"_AUTOMTL_COMPLETE=complete_{shell}" in script.replace("env ", "")
    if shutil.which(shell):
        done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("automtl sea", {"search"}),
        ("automtl data c", {"clean"}),
        ("automtl search x.yaml --res", {"--resume"}),
        ("automtl search x.yaml --executor ", {"ray", "processes", "local"}),
    ],
)
def test_commands_options_and_choices_are_completed(call, monkeypatch, typed, found):
    monkeypatch.setenv("_AUTOMTL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(typed.count(" ")))
    code, out = call()
    assert code == 0
    assert set(out.split()) == found


def test_an_unknown_shell_is_code_2(call):
    assert call("completion", "tcsh")[0] == 2
