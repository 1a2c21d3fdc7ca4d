"""Whatever stands in a spec, the answer is a Spec or a SpecError with places; nothing else."""

import copy

from hypothesis import given, settings
from hypothesis import strategies as st
from support.spec_dict import VALID

from automtl.errors import SpecError
from automtl.spec.diagnostics import render
from automtl.spec.load import dump_yaml, load_spec, parse_document
from automtl.spec.schema import Spec

SCALARS = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.sampled_from(
        ["", "click", "esmm", "ple", "is_click", "user", "params", "click.auc", "a b", "1e-3", "x"]
    )
)  # fmt: skip
KEYS = st.sampled_from(
    ["family", "given", "label", "int", "choice", "log", "path", "random", "x", "num_levels"]
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def places(value, loc=()):
    """Every location of a document, the root left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*loc, key)
        if isinstance(item, dict | list):
            yield from places(item, (*loc, key))


@st.composite
def damaged(draw):
    """VALID with up to four values replaced, taken away or added."""
    raw = copy.deepcopy(VALID)
    raw["space"] |= {"weighting": "decay", "loss_decay": {"click": 0.5}, "dependency": "esmm"}
    raw["constraints"] = ["params <= 5e6"]
    for _ in range(draw(st.integers(1, 4))):
        loc = draw(st.sampled_from(list(places(raw))))
        block = raw
        for key in loc[:-1]:
            block = block[key]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                block[loc[-1]] = draw(JUNK)
            case "remove":
                del block[loc[-1]]
            case "add" if isinstance(block, dict):
                block[draw(KEYS)] = draw(JUNK)
            case "add":
                block.append(draw(JUNK))
        if not list(places(raw)):
            break
    return raw


def result_of(function, *args, **options):
    """What a call gives back, or the SpecError that it raises."""
    try:
        return function(*args, **options)
    except SpecError as error:
        return error


@settings(max_examples=150, deadline=None)
@given(damaged())
def test_a_damaged_spec_is_refused_with_problems_or_is_another_spec(raw):
    spec = result_of(Spec.from_dict, raw)
    if isinstance(spec, SpecError):
        assert spec.diagnostics
        assert all(problem.key and problem.rule for problem in spec.diagnostics)
    else:
        assert Spec.from_dict(spec.to_dict()) == spec
        assert [objective.name for objective in spec.objective_list()] == list(spec.objectives)
        assert len(spec.constraint_list()) == len(spec.constraints)


@settings(max_examples=40, deadline=None)
@given(damaged())
def test_every_problem_of_a_file_has_a_line_and_a_column(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("spec") / "spec.yaml"
    path.write_text(dump_yaml(raw), encoding="utf-8")
    lines = path.read_text(encoding="utf-8").splitlines()
    error = result_of(load_spec, path, check_files=False)
    if isinstance(error, SpecError):
        for problem in error.diagnostics:
            assert 1 <= problem.line <= max(len(lines), 1)
            assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert render(error, "\n".join(lines)).count("^") >= len(error.diagnostics)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@`,? \n\t0.1~<", max_size=40))
def test_any_text_is_a_document_or_a_spec_error(text):
    document = result_of(parse_document, text, "spec.yaml")
    assert document.diagnostics if isinstance(document, SpecError) else document.places
