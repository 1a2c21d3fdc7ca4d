"""What is said where a package lacks, and that the extras are those that pip installs."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from automtl.errors import MissingPackageError, UserError
from automtl.extras import EXTRAS, missing, missing_told, require

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# what pip installs under another name than Python imports
IMPORTED = {"mlflow-skinny": "mlflow", "scikit-learn": "sklearn"}


def named(requirements):
    names = [re.match(r"[\w.-]+", one).group() for one in requirements]
    return {IMPORTED.get(name, name) for name in names if name != "automtl"}


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_extras_are_those_that_pip_installs(extra):
    assert set(EXTRAS[extra]) == named(PROJECT["optional-dependencies"][extra])


def test_what_scores_and_serves_brings_none_of_what_searches():
    extras = PROJECT["optional-dependencies"]
    small = named([*PROJECT["dependencies"], *extras["serve"], *extras["onnx"]])
    assert not small & set(EXTRAS["search"])
    assert "automtl[onnx]" in extras["serve"]


@pytest.mark.parametrize("name", EXTRAS["search"])
def test_the_package_that_lacks_is_named_with_the_way_out(name, monkeypatch):
    assert missing("search") is None
    monkeypatch.setitem(sys.modules, name, None)
    assert missing("search") == name
    with pytest.raises(MissingPackageError) as error:
        require("search", needed_by="automtl search")
    assert str(error.value) == (
        f"automtl search: the package {name} is not installed; pip install 'automtl[search]'"
    )


def test_an_import_that_fails_for_want_of_an_extra_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with (
        pytest.raises(MissingPackageError, match=r"x: .* fsspec .*\[remote\]', or copy the files"),
        missing_told(needed_by="x", or_else="copy the files"),
    ):
        import fsspec.core  # noqa: F401


def test_other_imports_that_fail_are_mistakes_of_ours():
    with pytest.raises(ModuleNotFoundError), missing_told(needed_by="x"):
        import automtl.no_such_module  # noqa: F401
    with pytest.raises(ModuleNotFoundError), missing_told(needed_by="x"):
        import torch.no_such_module  # noqa: F401


def test_it_is_what_users_and_importers_catch():
    assert issubclass(MissingPackageError, UserError)
    assert issubclass(MissingPackageError, ImportError)
    assert MissingPackageError.exit_code == 2


def test_a_url_says_which_extra_reads_it(monkeypatch):
    from automtl.data.paths import data_files

    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingPackageError, match=r"^s3://bucket/day: .*'automtl\[remote\]'$"):
        data_files("s3://bucket/day", base_dir=Path())
