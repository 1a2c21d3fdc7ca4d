"""A knob is one value or a domain; each way to write it wrongly has a message and a way out."""

import math

import pytest
from support.spec_dict import make, problems

from automtl.spec.domains import (
    Choice,
    Fixed,
    FloatRange,
    IntRange,
    contains,
    default,
    describe,
    size,
    to_plain,
)


@pytest.mark.parametrize(
    ("knob", "written", "domain"),
    [
        ("embedding_dim", 8, Fixed(8)),
        ("embedding_dim", 1e2, Fixed(100)),
        ("embedding_dim", {"int": [4, 64], "log": True}, IntRange(4, 64, log=True)),
        ("embedding_dim", {"choice": [16, 8]}, Choice((16, 8))),
        ("embedding_dim", {"choice": [16]}, Fixed(16)),
        ("lr", 1, Fixed(1.0)),
        ("lr", {"float": [1e-4, 1], "log": True}, FloatRange(1e-4, 1.0, log=True)),
        ("lr", {"int": [1, 3]}, IntRange(1, 3)),
        ("expert_dims", [128, 64], Fixed((128, 64))),
        ("tower_dims", {"choice": [[], [32]]}, Choice(((), (32,)))),
        ("dependency", {"choice": ["none", "esmm"]}, Choice(("none", "esmm"))),
    ],
)
def test_a_value_is_fixed_and_a_mapping_is_free(knob, written, domain):
    assert getattr(make({f"space.{knob}": written}).space, knob) == domain


@pytest.mark.parametrize(
    ("knob", "written", "message"),
    [
        ("lr", {"float": [0.5, 0.1]}, "low 0.5 is not below high 0.1; write {float: [0.1, 0.5]}"),
        (
            "lr",
            {"float": [0.5, 0.1], "log": True},
            "low 0.5 is not below high 0.1; write {float: [0.1, 0.5], log: true}",
        ),
        ("lr", {"float": [0.1, 0.1]}, "low 0.1 is not below high 0.1; write 0.1, which is fixed"),
        ("lr", {"float": [0.1]}, "float must be [low, high], not [0.1]; write {float: [0.1, 0.5]}"),
        ("lr", [0.1, 0.5], "a list is neither a value nor a range: [0.1, 0.5]; "
         "write {float: [0.1, 0.5]}"),
        ("lr", "1e-3", "must be a number, not 1e-3; take the quotes away"),
        ("lr", True, "must be a number, not true"),
        ("lr", None, "must be a number, not null"),
        ("lr", 0, "must be above 0, not 0"),
        ("lr", math.inf, "must be a number, not inf"),
        ("lr", {"low": 1}, "is no domain: {low: 1}; write {float: [0.1, 0.5]}"),
        ("lr", {"int": [1, 2], "float": [1, 2]}, "has both int and float; "
         "write {float: [0.1, 0.5]}"),
        ("dropout", 1, "must be at least 0 and below 1, not 1"),
        ("embedding_dim", 2.5, "must be a whole number, not 2.5"),
        ("embedding_dim", [8, 16, 32], "a list is neither a value nor a range: [8, 16, 32]; "
         "write {choice: [8, 16, 32]}"),
        ("embedding_dim", {"float": [1, 8]}, "takes whole numbers, not {float: ...}; "
         "write {int: [1, 8]}"),
        ("embedding_dim", {"choice": []}, "choice must be a list of at least one option; "
         "write {int: [2, 8]}"),
        ("expert_dims", 64, "must be a list of layer widths, not 64; write [64]"),
        ("expert_dims", [], "must have at least 1 layer; write [64]"),
        ("expert_dims", [[64], [32]], "must be one list of layer widths, not [[64], [32]]; "
         "write {choice: [[64], [32]]}"),
        ("weighting", "uncertain", "must be one of fixed, decay, uncertainty, not uncertain; "
         "did you mean uncertainty?"),
        ("weighting", {"int": [1, 2]}, "takes a choice, not {int: ...}; write {choice: [1, 2]}"),
    ],
)  # fmt: skip
def test_a_bad_knob_says_what_to_write_instead(knob, written, message):
    assert problems({f"space.{knob}": written}) == {f"space.{knob}": message}


def test_every_bad_part_of_a_domain_has_a_place_of_its_own():
    assert problems(
        {
            "space.embedding_dim": {"choice": [8, -16, 8, "x"]},
            "space.lr": {"float": [0, 1], "log": True},
            "space.batch_size": {"int": [64, 1024], "lg": True},
            "space.expert_dims": [64, 0],
        }
    ) == {
        "space.embedding_dim.choice[1]": "must be at least 1, not -16",
        "space.embedding_dim.choice[2]": "8 stands twice; take one away",
        "space.embedding_dim.choice[3]": "must be a whole number, not x",
        "space.lr.float[0]": "must be above 0, not 0",
        "space.batch_size.lg": "unknown key beside int; did you mean log?",
        "space.expert_dims[1]": "must be at least 1, not 0",
    }


def test_a_log_range_needs_a_positive_low():
    found = problems({"space.weight_decay": {"float": [0, 0.1], "log": True}})
    assert found == {
        "space.weight_decay.float[0]": "a log range needs low above 0, not 0.0; "
        "take `log: true` away or raise low"
    }


DOMAINS = [
    (Fixed((64,)), (64,), 1, "[64]"),
    (Choice(("a", "b")), "a", 2, "a | b"),
    (IntRange(1, 8), 4, 8, "1 to 8"),
    (IntRange(4, 64, log=True), 16, 61, "4 to 64 (log)"),
    (FloatRange(0.0, 0.3), 0.15, math.inf, "0 to 0.3"),
    (FloatRange(1e-4, 1e-2, log=True), 1e-3, math.inf, "0.0001 to 0.01 (log)"),
]


@pytest.mark.parametrize(("domain", "middle", "count", "words"), DOMAINS)
def test_default_size_and_words(domain, middle, count, words):
    assert default(domain) == pytest.approx(middle)
    assert contains(domain, default(domain))
    assert size(domain) == count
    assert describe(domain) == words


def test_contains_takes_lists_for_tuples_and_no_booleans_for_numbers():
    assert contains(Choice(((64,), (32,))), [64])
    assert contains(IntRange(0, 2), 2)
    assert not contains(IntRange(0, 2), 1.5)
    assert not contains(IntRange(0, 2), True)
    assert not contains(Choice((1, "per_task")), True)
    assert not contains(FloatRange(0.0, 1.0), math.nan)


@pytest.mark.parametrize("domain", [domain for domain, *_ in DOMAINS if domain.__class__ != Choice])
def test_plain_form_reads_back(domain):
    knob = {Fixed: "expert_dims", IntRange: "batch_size", FloatRange: "weight_decay"}[type(domain)]
    assert getattr(make({f"space.{knob}": to_plain(domain)}).space, knob) == domain
