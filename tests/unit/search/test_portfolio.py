"""What a search begins with: points that other data sets taught, in the terms of its own space."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_job import fake_spec
from unit.search.test_strategies import SPACE, drawn

from automtl.search.sampler import Proposal, Sampler, search_space, start_points
from automtl.search.strategies import portfolio
from automtl.search.strategies.portfolio import NUM_POINTS, choosers, generalised, points
from automtl.search.strategies.unit import value_at
from automtl.spec.domains import Choice, FloatRange, IntRange, contains
from automtl.spec.load import load_spec
from automtl.spec.schema import Spec

FOLDER = Path(__file__).parents[3] / "search_spaces"
POINT = {"family": "experts", "experts.count": 0.99, "dims": 0.5, "width": 0.5, "lr": 0.5}


def start_of(point: Any, seed: int = 0) -> dict[str, Any]:
    return drawn(next(choosers([point], seed)))


def first_proposals(spec: Spec, count: int) -> list[Proposal]:
    """Those of a sampler that is told of none of them: as if they all ran at once."""
    sampler, found = Sampler(spec), []
    for number in range(count):
        proposal = sampler.propose(
            number=number, pins={}, accept=lambda config: config not in [p.config for p in found]
        )
        assert isinstance(proposal, Proposal)
        found.append(proposal)
    return found


def test_places_become_values_of_the_space() -> None:
    assert start_of(POINT) == {
        "family": "experts",
        "experts.count": 8,
        "dims": (64,),  # between () and (128, 64)
        "width": 8,  # between 4 and 16
        "lr": pytest.approx(1e-3),
    }


@given(seed=st.integers(0, 2**32), name=st.sampled_from(["plain", "experts"]), data=st.data())
def test_a_configuration_comes_back_from_its_point(seed: int, name: str, data: Any) -> None:
    params: dict[str, Any] = {"family": name}
    for knob, domain in list(SPACE.domains.items())[1:]:
        if not SPACE.is_active(knob, params):
            continue
        match domain:
            case Choice(options):
                params[knob] = data.draw(st.sampled_from(options))
            case IntRange(low, high):
                params[knob] = data.draw(st.integers(low, high))
            case FloatRange(low, high):
                params[knob] = data.draw(st.floats(low, high))
    again = start_of(generalised(SPACE, params), seed)
    assert again == params | {"lr": pytest.approx(params["lr"])}


@pytest.mark.parametrize(
    "point",
    [{}, {"family": "none of these"}, {"family": 0.5}, {"dims": "wide"}, {"lr": "high"}],
)
def test_what_the_space_does_not_have_is_drawn_by_chance(point: Any) -> None:
    found = [start_of(point, seed) for seed in range(30)]
    for params in found:
        assert all(contains(SPACE.domains[name], value) for name, value in params.items())
    assert len({params["lr"] for params in found}) == 30
    assert {params["family"] for params in found} == {"plain", "experts"}


def test_a_point_stays_the_same_configuration_whatever_it_leaves_open() -> None:
    """Or it would be tried again and again, each time a little different."""
    open_points = [{"family": "plain"}, {"family": "experts"}]
    first, again = ([drawn(one) for one in choosers(open_points, 3)] for _ in range(2))
    assert first == again
    assert first[0]["lr"] != first[1]["lr"]


def test_weights_of_losses_have_one_name_whatever_the_task() -> None:
    chooser = next(choosers([{"loss_weights": 0.5}], 0))
    assert chooser("loss_weights.anything", FloatRange(0.1, 10, True)) == pytest.approx(1.0)


def test_each_data_set_has_its_turn() -> None:
    learnt = list(portfolio.learnt().values())
    assert [len(one) for one in learnt] == [NUM_POINTS] * len(learnt)
    assert list(points()) == list(itertools.chain(*zip(*learnt, strict=True)))[:NUM_POINTS]


@pytest.mark.parametrize("name", ["kuairand", "census_income", "kuairand_like", "synthetic"])
def test_what_was_taught_fits_the_committed_spaces(name: str) -> None:
    spec = load_spec(FOLDER / f"{name}.yaml", overrides=["search.trials=60"])
    domains = search_space(spec).domains
    for point, proposal in zip(points(), first_proposals(spec, NUM_POINTS), strict=True):
        model = proposal.config.model
        if point["family"] in spec.space.families:
            assert model.family == point["family"]
        assert model.embedding_dim == value_at(domains["embedding_dim"], point["embedding_dim"])


def test_a_search_begins_with_them_in_order() -> None:
    spec = fake_spec(trials=60)
    sampler = Sampler(spec)
    expected = [
        config
        for choose in choosers(start_points(spec), spec.search.seed)
        if not sampler._is_taken(config := sampler._draw({}, choose)[0], also_promised=True)
    ]
    found = [proposal.config for proposal in first_proposals(spec, len(expected) + 2)]
    assert found[: len(expected)] == expected
    assert len(set(map(repr, found))) == len(found)


@pytest.mark.parametrize(
    "spec",
    [
        fake_spec(sampler="gp"),
        fake_spec(objectives=["click.auc", "buy.auc"]),
        fake_spec(space={"sharing": [{"family": "shared_bottom"}]}),
    ],
    ids=["another sampler", "size does not count", "one family"],
)
def test_where_nothing_like_it_was_learnt_a_search_begins_by_chance(spec: Spec) -> None:
    assert start_points(spec) == ()
    assert start_points(fake_spec()) == points()
