"""Problems as a person sees them: key, rule, way out, the line, a caret."""

from automtl.errors import Diagnostic, SpecError
from automtl.spec.diagnostics import Place, diagnose, dotted, render
from automtl.spec.problems import Problem

TEXT = "name: x\nspace:\n  lr: {float: [0.5, 0.1]}\n"
LR = Diagnostic(
    key="space.lr", rule="low 0.5 is not below high 0.1", hint="write {float: [0.1, 0.5]}",
    line=3, column=7,
)  # fmt: skip


def test_the_picture_shows_the_line_and_points_at_the_place():
    error = SpecError("spec.yaml", [LR])
    assert render(error, TEXT) == (
        "spec.yaml:3:7 space.lr: low 0.5 is not below high 0.1; write {float: [0.1, 0.5]}\n"
        "    3 |   lr: {float: [0.5, 0.1]}\n"
        "      |       ^"
    )
    assert str(error) == render(error, TEXT).splitlines()[0]


def test_without_a_line_there_is_no_picture():
    override = Diagnostic(key="--set search.trials", rule="must be at least 1, not 0")
    assert render(SpecError("spec.yaml", [override]), TEXT) == (
        "spec.yaml --set search.trials: must be at least 1, not 0"
    )
    assert render(SpecError("spec.yaml", [LR])).count("\n") == 0


def test_color_changes_nothing_but_color():
    error = SpecError("spec.yaml", [LR])
    colored = render(error, TEXT, color=True)
    assert "\x1b[31m^\x1b[0m" in colored
    for code in ("\x1b[1m", "\x1b[31m", "\x1b[2m", "\x1b[0m"):
        colored = colored.replace(code, "")
    assert colored == render(error, TEXT)


def test_a_long_line_is_cut_around_the_place():
    line = "key: [" + ", ".join(f"column_{i}" for i in range(100)) + "]"
    column = line.index("column_70") + 1
    error = SpecError("s", [Diagnostic(key="key", rule="bad", line=1, column=column)])
    _, source, caret = render(error, line).splitlines()
    assert len(source) < 130
    assert source[caret.index("^") :].startswith("column_70")


def test_keys_are_dotted_and_items_counted():
    assert dotted(("space", "sharing", 1, "family")) == "space.sharing[1].family"
    assert dotted(()) == "spec"


def test_diagnostics_are_in_the_order_of_the_file_each_once():
    raw = {"a": 1, "b": [1, 2]}
    places = {
        (): Place(key=(1, 1), value=(1, 1)),
        ("a",): Place(key=(1, 1), value=(1, 4)),
        ("b",): Place(key=(2, 1), value=(2, 4)),
        ("b", 1): Place(key=(2, 8), value=(2, 8)),
    }
    found = diagnose(
        [
            Problem(loc=("b", 1), rule="r"),
            Problem(loc=("b", "<tag>", 1), rule="r"),  # the same, through a tagged union
            Problem(loc=("b",), rule="key", on_key=True),
            Problem(loc=("a",), rule="value"),
            Problem(loc=("c",), rule="is missing"),
            Problem(loc=("a", "deep"), rule="is missing"),
        ],
        raw,
        places=places,
    )
    assert [(one.key, one.line, one.column) for one in found] == [
        ("c", 1, 1),
        ("a.deep", 1, 1),
        ("a", 1, 4),
        ("b", 2, 1),
        ("b[1]", 2, 8),
    ]
