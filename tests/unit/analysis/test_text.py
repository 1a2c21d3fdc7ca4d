import pytest
from support.study import make_record

from automtl.analysis import text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (870, "870"), (999.6, "1.00k"), (41_234, "41.2k"), (2_612_345, "2.61M"),
     (99_960_000, "100M"), (1.3e9, "1.30G")],
)  # fmt: skip
def test_counts_have_three_digits(value, shown):
    assert text.count(value) == shown


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("click.auc", 0.73125, "0.7312"),
        ("view.joint_logloss", 0.5, "0.5000"),
        ("spend.mae", 12.3456, "12.35"),
        ("params.dense", 1e6, "1.00M"),
        ("latency_ms", 0.04213, "0.042 ms"),
        ("latency_ms", 4.213, "4.21 ms"),
        ("latency_ms", 99.96, "100 ms"),
    ],
)
def test_values_are_in_their_own_units(name, value, shown):
    assert text.metric(name, value) == shown


@pytest.mark.parametrize(
    ("name", "difference", "shown"),
    [
        ("click.auc", 0.0031, "+0.31"),
        ("click.auc", -0.0005, "-0.05"),
        ("click.auc", -1e-9, "+0.00"),
        ("click.logloss", -0.00213, "-0.0021"),
        ("spend.mae", 1.25, "+1.25"),
    ],
)
def test_gains_are_signed_and_an_auc_counts_in_points(name, difference, shown):
    assert text.gain(name, difference) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.2, "0s"), (59.4, "59s"), (190, "3m10s"), (7500, "2h05m")]
)
def test_durations(seconds, shown):
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(True, "true"), (0.00123456, "0.00123"), ([128, 64], "128×64"), ("tpe", "tpe"),
     ((), "none"), (8, "8")],
)  # fmt: skip
def test_knobs(value, shown):
    assert text.knob(value) == shown


def test_a_model_is_named_by_both_axes():
    assert text.model_name(make_record(0, family="ple").config) == "ple"
    assert text.model_name(make_record(0, family="ple", dependency="esmm").config) == "ple·esmm"
