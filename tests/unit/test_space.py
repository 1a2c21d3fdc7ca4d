"""From a spec to configurations: what is asked for, in which order, under which condition."""

import math

import pytest
from support.spec_dict import make

from automtl.config import ModelConfig, TrainConfig, TrialConfig
from automtl.space import Pinned, default_values, fixed_spec, knobs, sample, space_size
from automtl.spec.domains import Choice, FloatRange, IntRange, default
from automtl.spec.schema import Spec

FREE = {
    "space.sharing": [
        {"family": "shared_bottom"},
        {"family": "mmoe", "num_shared_experts": {"int": [2, 5]}},
        {"family": "cgc", "num_shared_experts": 2, "num_task_experts": {"int": [1, 3]}},
    ],
    "space.dependency": {"choice": ["none", "esmm"]},
    "space.expert_dims": {"choice": [[64], [128, 64]]},
    "space.gate_dims": {"choice": [[], [8]]},
    "space.loss_weights": {"buy": {"float": [0.1, 10], "log": True}},
    "space.weighting": {"choice": ["fixed", "decay", "uncertainty"]},
    "space.loss_decay": {"click": {"float": [0.5, 1]}},
    "search.epochs": {"choice": [1, 0.5]},
}
NAMES = [
    "family", "dependency", "mmoe.num_shared_experts", "cgc.num_task_experts", "expert_dims",
    "gate_dims", "weighting", "loss_weights.buy", "loss_decay.click", "epochs",
]  # fmt: skip


def record(spec, **answers):
    """A configuration by `answers`, else defaults, and the names asked for."""
    asked = []

    def suggest(name, domain):
        asked.append(name)
        return answers.get(name, default(domain))

    return sample(spec, suggest), asked


def test_knobs_are_listed_in_their_order_with_their_conditions():
    found = {knob.name: knob for knob in knobs(make(FREE))}
    assert list(found) == NAMES
    assert found["family"].domain == Choice(("shared_bottom", "mmoe", "cgc"))
    assert found["family"].condition is None
    assert found["mmoe.num_shared_experts"].domain == IntRange(2, 5)
    assert found["mmoe.num_shared_experts"].condition == "family = mmoe"
    assert found["gate_dims"].condition == "family = mmoe | cgc"
    assert found["loss_weights.buy"].condition == "weighting = fixed | decay"
    assert found["loss_decay.click"].condition == "weighting = decay"


def test_only_knobs_that_matter_are_asked_for():
    spec = make(FREE)
    config, asked = record(spec)
    assert asked == [
        "family",
        "dependency",
        "expert_dims",
        "weighting",
        "loss_weights.buy",
        "epochs",
    ]
    assert config == TrialConfig(
        model=ModelConfig(family="shared_bottom", expert_dims=(64,)),
        train=TrainConfig(loss_weights={"buy": 1.0}),
    )
    config, asked = record(spec, family="cgc", weighting="decay")
    assert asked == [name for name in NAMES if not name.startswith("mmoe")]
    assert (config.model.num_shared_experts, config.model.num_task_experts) == (2, 2)
    assert config.train.loss_decay == {"click": 0.75}
    config, asked = record(spec, family="mmoe", weighting="uncertainty")
    assert "loss_weights.buy" not in asked
    assert config.train.loss_weights == {}


def test_what_is_fixed_is_never_asked_for():
    spec = make({"space.sharing": [{"family": "ple", "num_levels": 3, "num_shared_experts": 1,
                                    "num_task_experts": 2}]})  # fmt: skip
    config = sample(spec, Pinned({}))
    assert (config.model.family, config.model.num_levels) == ("ple", 3)
    assert knobs(spec) == ()
    assert space_size(spec) == 1


def test_a_knob_that_no_trial_can_reach_is_not_listed():
    spec = make({"space.gate_dims": {"choice": [[], [8]]},
                 "space.sharing": [{"family": "shared_bottom"}]})  # fmt: skip
    assert knobs(spec) == ()
    assert space_size(spec) == 1


def test_one_family_makes_its_knobs_unconditional():
    block = {"family": "mmoe", "num_shared_experts": {"int": [2, 5]}}
    (knob,) = knobs(make({"space.sharing": [block]}))
    assert (knob.name, knob.condition) == ("mmoe.num_shared_experts", None)


def test_the_size_of_the_space_counts_branches():
    spec = make({**FREE, "space.loss_weights": {"buy": {"choice": [1, 2]}},
                 "space.loss_decay": {"click": {"choice": [0.5, 0.7, 0.9]}}})  # fmt: skip
    families = 1 + 4 * 2 + 3 * 2  # gates only in the last two
    weightings = 2 + 2 * 3 + 1
    assert space_size(spec) == families * weightings * 2 * 2 * 2
    assert space_size(make(FREE)) == math.inf


def test_answers_of_a_sampler_become_what_the_fields_want():
    config, _ = record(make(FREE), family="mmoe", expert_dims=[128, 64], epochs=1)
    assert config.model.expert_dims == (128, 64)
    assert isinstance(config.train.epochs, float)


def test_an_impossible_answer_is_an_error():
    with pytest.raises(ValueError, match="mmeo is no family"):
        record(make(FREE), family="mmeo")
    with pytest.raises(ValueError, match="num_shared_experts"):
        record(make(FREE), family="mmoe", **{"mmoe.num_shared_experts": 2.5})


# ---- baselines -----------------------------------------------------------------------------


def test_defaults_of_a_family_pin_all_that_it_is_asked_for():
    spec = make(FREE)
    values = default_values(spec, "cgc", "none")
    assert values == {
        "family": "cgc", "dependency": "none", "cgc.num_task_experts": 2, "expert_dims": (64,),
        "gate_dims": (), "weighting": "fixed", "loss_weights.buy": 1.0, "epochs": 1.0,
    }  # fmt: skip
    assert sample(spec, Pinned(values)).model.family == "cgc"  # nothing is left to ask


def test_a_baseline_may_lie_outside_the_space():
    spec = make({**FREE, "space.dependency": "esmm"})
    config = sample(spec, Pinned(default_values(spec, "single_task", "none")))
    assert (config.model.family, config.model.dependency) == ("single_task", "none")


def test_a_family_outside_the_space_needs_all_its_knobs():
    spec = make(FREE)
    with pytest.raises(ValueError, match=r"omoe is not in the space: pin omoe.num_shared_experts"):
        default_values(spec, "omoe", "none")
    pins = default_values(spec, "shared_bottom", "none")
    pins |= {"family": "omoe", "omoe.num_shared_experts": 3}
    config = sample(spec, Pinned(pins, lambda name, domain: default(domain)))
    assert (config.model.family, config.model.num_shared_experts) == ("omoe", 3)


def test_pins_win_and_the_rest_is_asked_for():
    spec = make(FREE)
    asked = []

    def suggest(name, domain):
        asked.append(name)
        return default(domain)

    config = sample(spec, Pinned({"family": "mmoe", "expert_dims": [7], "lr": 5.0}, suggest))
    assert "family" not in asked
    assert "mmoe.num_shared_experts" in asked
    assert config.model.expert_dims == (7,)  # outside the domain
    assert config.train.lr == 5.0  # fixed in the spec
    with pytest.raises(KeyError, match="dependency"):
        sample(spec, Pinned({"family": "mmoe"}))


# ---- a spec with every knob fixed ----------------------------------------------------------


def test_a_fixed_spec_gives_its_configuration_and_nothing_else():
    spec = make(FREE)
    config, _ = record(spec, family="cgc", weighting="decay", expert_dims=(128, 64), epochs=0.5)
    raw = fixed_spec(spec, config)
    assert raw["space"]["sharing"] == [
        {"family": "cgc", "num_shared_experts": 2, "num_task_experts": 2}
    ]
    assert raw["search"]["epochs"] == 0.5
    assert raw["data"] == spec.to_dict()["data"]
    again = Spec.from_dict(raw)
    assert knobs(again) == ()
    assert sample(again, Pinned({})) == config


def test_a_fixed_spec_of_a_baseline_outside_the_space():
    spec = make(FREE)
    config = sample(spec, Pinned(default_values(spec, "single_task", "none")))
    assert sample(Spec.from_dict(fixed_spec(spec, config)), Pinned({})) == config


def test_the_middle_of_a_log_range_is_a_round_number():
    assert default(FloatRange(0.1, 10, log=True)) == 1.0
    assert default(FloatRange(3e-4, 3e-3, log=True)) == 0.000949
