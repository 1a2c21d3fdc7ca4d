"""The card says what was measured, and does not say what was not."""

import dataclasses
import re

import pytest
from markdown_it import MarkdownIt

from automtl.analysis.interval import Interval
from automtl.export.card import gap_text, render_card, with_error
from automtl.export.manifest import AucScore, output_columns


def sections(card):
    return dict(re.findall(r"^## (.+)\n\n([\s\S]+?)(?=^## |\Z)", card, re.M))


@pytest.fixture
def manifest(bundle):
    return bundle.manifest


def test_it_has_every_section_and_whole_tables(manifest):
    card = render_card(manifest)
    assert list(sections(card)) == [
        "What it predicts",
        "How good it is",
        "Data",
        "Intended use and limits",
        "Where it comes from",
    ]
    tokens = MarkdownIt("commonmark").enable("table").parse(card)
    assert sum(token.type == "table_open" for token in tokens) == 4
    assert sum(token.type == "tr_open" for token in tokens) == (5) + (9) + (5) + (7)
    assert "{" not in card.replace("```", "")
    assert "\n\n\n" not in card


def test_numbers_stand_beside_the_references(manifest):
    good = sections(render_card(manifest))["How good it is"]
    (click,) = re.findall(r"^\| \*\*click.auc ↑\*\* \|.*$", good, re.M)
    assert f" {manifest.measured.validation['click.auc']:.4f} " in click
    assert f" {manifest.measured.test['click.auc']:.4f} ± " in click
    assert f" {manifest.reference.test['click.auc']:.4f} " in click
    assert re.search(r"[+-]\d+\.\d\d \[[+-]\d+\.\d\d, [+-]\d+\.\d\d\]", click)
    assert "| click.logloss ↓ |" in good  # not an objective: not in bold
    assert "| spend.mae ↓ |" in good


def test_rows_and_base_rates_are_told_per_split(manifest, rows):
    data = sections(render_card(manifest))["Data"]
    train = rows.filter(rows["split"] == "train")
    assert f"| all | {train.height:,} |" in data
    assert f"| click | {train.height:,}, {train['click'].mean():.2%} |" in data
    assert f"| buy (given click) | {train['click'].sum():,}, " in data


def test_what_is_not_known_is_not_told(manifest):
    bare = dataclasses.replace(
        manifest,
        reference=None,
        test_scores=(),
        measured=dataclasses.replace(manifest.measured, test=None),
        num_rows=dict(manifest.num_rows) | {"test": 0},
        labels=tuple(one for one in manifest.labels if one.split != "test"),
    )
    card = render_card(bare)
    assert "no complete single_task trial to compare with" in card
    assert "| metric | validation | test |\n" in card
    assert "| rows | train | valid |\n" in card
    own = dataclasses.replace(manifest, reference=manifest.measured)
    assert "IS the single_task reference" in render_card(own)


def test_a_latency_is_told_with_its_unit_and_what_it_is_of(manifest):
    costs = {**manifest.costs, "latency_ms": 4.213}
    card = render_card(dataclasses.replace(manifest, costs=costs))
    assert ", 4.21 ms a batch (measured in the search)" in card.splitlines()[2]


def test_conditions_and_probabilities_are_only_spoken_of_where_there_are_some(manifest):
    click, *_ = manifest.tasks
    plain = dataclasses.replace(
        manifest,
        tasks=(click,),
        outputs=output_columns((click,)),
        measured=dataclasses.replace(manifest.measured, validation={"click.auc": 0.7}),
    )
    assert "after a condition" not in render_card(plain)
    model = manifest.config.model
    for dependency, words in [("esmm", "(ESMM)"), ("none", "elsewhere it extrapolates")]:
        config = dataclasses.replace(
            manifest.config, model=dataclasses.replace(model, dependency=dependency)
        )
        assert words in render_card(dataclasses.replace(manifest, config=config))


def score(low, estimate, high):
    gap = Interval(estimate=estimate, low=low, high=high, standard_error=0.001)
    return AucScore(
        name="click.auc", space="all rows", num_rows=1000, num_positives=300, auc=gap, gap=gap
    )


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (score(-0.001, 0.002, 0.005), "cannot be told from single_task's: +0.20 [-0.10, +0.50]"),
        (score(0.001, 0.002, 0.003), "is higher than single_task's: +0.20 [+0.10, +0.30]"),
        (score(-0.03, -0.02, -0.01), "is LOWER than single_task's: -2.00 [-3.00, -1.00]"),
    ],
)
def test_an_interval_decides_what_is_said(manifest, gap, words):
    card = render_card(dataclasses.replace(manifest, test_scores=(gap,)))
    assert f"- click.auc on test (1,000 rows, 300 of them positive) {words} points." in card


def test_scores_that_are_not_known_are_dashes():
    unknown = AucScore(name="a.auc", space="all rows", num_rows=9, num_positives=0, auc=None)
    assert (with_error(unknown), gap_text(unknown)) == ("–", "–")


HOSTILE = "a`</code><img src=x onerror=alert(1)>``\n# b"


def test_names_and_commands_cannot_leave_their_place(manifest):
    about = manifest.provenance
    hostile = dataclasses.replace(
        manifest,
        inputs=(dataclasses.replace(manifest.inputs[0], name=HOSTILE), *manifest.inputs[1:]),
        provenance=dataclasses.replace(about, data=(HOSTILE,), command=f"x\n```\n{HOSTILE}"),
    )
    plain, card = render_card(manifest), render_card(hostile)
    assert list(sections(card)) == list(sections(plain))
    tokens = MarkdownIt("commonmark").enable("table").parse(card)
    inside = [child for token in tokens for child in token.children or ()]
    assert not [one for one in (*tokens, *inside) if one.type in ("html_block", "html_inline")]
    codes = [one.content for one in inside if one.type == "code_inline"]
    assert codes.count(HOSTILE.replace("\n", " ")) == 2
    assert [one.content for one in tokens if one.type == "fence"][-1] == f"x\n```\n{HOSTILE}\n"
