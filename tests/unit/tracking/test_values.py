"""Names and values as trackers permit them."""

from __future__ import annotations

import posixpath
import re

from hypothesis import given
from hypothesis import strategies as st

from automtl.tracking.values import flat, plain_name, plain_text

TEXTS = st.text(alphabet=st.one_of(st.sampled_from("ab/. _-:\\\n%é"), st.characters()), min_size=1)


@given(TEXTS)
def test_a_name_is_what_mlflow_permits(name):
    plain = plain_name(name, 50)
    assert re.fullmatch(r"[/\w.\- ]+", plain, re.ASCII)
    assert 0 < len(plain) <= 50
    assert posixpath.normpath(plain) == plain
    assert not plain.startswith(("/", ".."))


@given(TEXTS, TEXTS)
def test_two_names_stay_two(one, other):
    assert (plain_name(one, 50) == plain_name(other, 50)) == (one == other)


def test_a_plain_name_stays_as_it_is():
    for name in ("click.auc", "objective/long_view.joint_auc", "mmoe.num_shared_experts"):
        assert plain_name(name, 250) == name


def test_nested_values_have_dotted_names():
    nested = {"model": {"family": "ple", "dims": [64, 32]}, "loss": {}, "seed": 1}
    assert flat(nested) == {"model.family": "ple", "model.dims": [64, 32], "loss": {}, "seed": 1}


def test_a_long_text_says_that_it_was_cut():
    assert plain_text("ple", 6) == "ple"
    assert plain_text([64, 32], 100) == "[64, 32]"
    assert plain_text("abcdefgh", 6) == "abcde…"
