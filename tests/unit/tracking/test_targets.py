"""What `--track` may say."""

from __future__ import annotations

import sys

import pytest
from support.fake_search import fake_search

from automtl.errors import MissingPackageError, TrackingError
from automtl.tracking.targets import Target, parse_targets


def test_trackers_are_named_once_each_with_their_place():
    given = ["tensorboard", "mlflow:http://tracking:5000", "tensorboard"]
    assert parse_targets(given) == (
        Target("tensorboard"),
        Target("mlflow", "http://tracking:5000"),
    )


def test_the_place_of_mlflow_comes_from_its_variable(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@tracking:5000")
    assert parse_targets(["mlflow"]) == (Target("mlflow", "http://user:secret@tracking:5000"),)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert parse_targets(["mlflow"]) == (Target("mlflow", ""),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wandb", "--track wandb: no such tracker; it is one of mlflow, tensorboard"),
        ("", "no such tracker"),
        ("mlflow:", "no URI after the colon; write mlflow:http://HOST:PORT"),
        ("tensorboard:logs", "the files are in the run, in tensorboard/"),
        ("mlflow:http://me:secret@host", "a password on the command line is seen by others"),
    ],
)
def test_what_it_may_not_say(text, message):
    with pytest.raises(TrackingError) as caught:
        parse_targets([text])
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kind", ["mlflow", "tensorboard"])
def test_a_missing_package_is_told_before_anything_is_written(kind, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, kind, None)
    with pytest.raises(MissingPackageError) as caught:
        fake_search(monkeypatch)(tmp_path / "run", track=[kind])
    assert str(caught.value) == (
        f"--track {kind}: the package {kind} is not installed; "
        f"pip install 'automtl[{kind}]', or leave --track out"
    )
    assert not (tmp_path / "run").exists()
