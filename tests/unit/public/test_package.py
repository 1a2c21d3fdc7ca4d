"""The package itself: names are looked up when they are asked for."""

import inspect
import subprocess
import sys

import pytest

import automtl
from automtl.public import calls


def python(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


def test_all_names_are_there():
    assert list(automtl.__all__) == sorted(automtl.__all__)
    for name in automtl.__all__:
        assert getattr(automtl, name) is not None
        assert name in dir(automtl)
    with pytest.raises(AttributeError, match="has no attribute 'serach'"):
        automtl.serach  # noqa: B018


@pytest.mark.parametrize("before", ["", "import automtl.search.assignment"])
def test_search_is_a_package_and_a_call(before):
    """Whether someone has imported a part of it before or not."""
    done = python(
        f"{before}\nimport automtl\nassert callable(automtl.search)\n"
        "from automtl.search import assignment\nimport automtl.search.assignment as same\n"
        "assert assignment is same and callable(automtl.search)"
    )
    assert done.returncode == 0, done.stderr


def test_the_call_shows_what_it_takes():
    assert inspect.signature(automtl.search) == inspect.signature(calls.search)
    assert "automtl.public.calls.search" in automtl.search.__doc__


def test_asking_for_the_zoo_imports_no_search():
    done = python(
        "import sys, automtl; automtl.build_model;"
        "print({'ray', 'optuna', 'pandas'} & {*sys.modules})"
    )
    assert done.stdout.strip() == "set()", done.stderr
